//! The SSH layer against a fake host: faults that a real one cannot be made to have.

use std::fs;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use swarm::ssh::{Chunk, Host, HostErrorKind, Pace, Script};

use crate::support::{FakeHost, Fault, Step};

/// A script whose text does not matter.
fn script() -> Script {
    Script::new("build")
}

/// Content in which every part differs.
fn content(size: usize) -> Vec<u8> {
    (0..size).map(|index| (index / 3 % 251) as u8).collect()
}

#[tokio::test(start_paused = true)]
async fn a_status_that_comes_before_the_last_data_loses_none_of_it() {
    let fake = FakeHost::new("tarn").answer(|_| {
        vec![
            Step::Status(7),
            Step::out("one "),
            Step::Stderr(b"warning".to_vec()),
            Step::Wait(Duration::from_secs(5)),
            Step::out("two"),
            Step::Close,
        ]
    });
    let output = fake.host().run(&script()).await.unwrap();
    assert_eq!((output.stdout.as_slice(), output.status), (b"one two".as_slice(), 7));
    assert_eq!(output.stderr, b"warning");
    assert_eq!(fake.scripts(), ["build"]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_closes_without_a_status_is_lost_and_never_a_success() {
    for steps in
        [vec![Step::out("done"), Step::Eof, Step::Close], vec![Step::Close], vec![Step::out("half"), Step::Cut]]
    {
        let fake = FakeHost::new("tarn").answer(move |_| steps.clone());
        let error = fake.host().run(&script()).await.unwrap_err();
        assert_eq!(error.kind, HostErrorKind::Lost, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn garbled_output_comes_through_as_it_is() {
    let garbled: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let sent = garbled.clone();
    let fake = FakeHost::new("tarn").answer(move |_| vec![Step::Stdout(sent.clone()), Step::Status(0), Step::Close]);
    assert_eq!(fake.host().run(&script()).await.unwrap().stdout, garbled);
}

#[tokio::test(start_paused = true)]
async fn a_build_of_an_hour_is_waited_for() {
    let fake = FakeHost::new("tarn").answer(|_| {
        let mut steps = vec![Step::Wait(Duration::from_secs(3600))];
        steps.extend(Step::all_is_well("built", 0));
        steps
    });
    assert_eq!(fake.host().run(&script()).await.unwrap().stdout, b"built");
}

#[tokio::test(start_paused = true)]
async fn a_link_that_stands_still_is_noticed_within_a_minute() {
    let fake = FakeHost::new("tarn").answer(|_| vec![Step::out("begun"), Step::Freeze, Step::Hang]);
    let begin = tokio::time::Instant::now();
    let error = fake.host().run(&script()).await.unwrap_err();
    assert_eq!(error.kind, HostErrorKind::Lost);
    assert!(begin.elapsed() <= Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_next_command_after_a_loss_makes_a_new_connection() {
    let fake = FakeHost::new("tarn");
    let host = fake.host();
    host.run(&script()).await.unwrap();
    fake.cut();
    host.run(&script()).await.unwrap();
    assert_eq!(fake.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_died_silently_is_replaced_when_it_is_asked_for() {
    let fake = FakeHost::new("tarn");
    let host = fake.host();
    host.run(&script()).await.unwrap();
    fake.freeze();
    host.connect().await.unwrap();
    host.run(&script()).await.unwrap();
    assert_eq!(fake.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn at_most_eight_commands_share_a_connection() {
    let fake = FakeHost::new("tarn").answer(|_| {
        let mut steps = vec![Step::Wait(Duration::from_secs(1))];
        steps.extend(Step::all_is_well("", 0));
        steps
    });
    let host = fake.host();
    let text = script();
    let results = futures::future::join_all((0..20).map(|_| host.run(&text))).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!((fake.connections(), fake.open_connections()), (3, 3));
    // Those that nobody needs any more close after a while, and the last stays.
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(fake.open_connections(), 1);
    drop(host);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(fake.open_connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_allows_fewer_channels_gets_more_connections() {
    let fake = FakeHost::new("tarn").sessions(2).answer(|_| {
        let mut steps = vec![Step::Wait(Duration::from_secs(1))];
        steps.extend(Step::all_is_well("", 0));
        steps
    });
    let host = fake.host();
    let text = script();
    let results = futures::future::join_all((0..6).map(|_| host.run(&text))).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_does_not_read_stalls_nobody_else() {
    let flood = vec![0_u8; 8 << 20];
    let fake = FakeHost::new("tarn").answer(move |text| match text {
        "flood" => vec![Step::Stdout(flood.clone()), Step::Status(0), Step::Close],
        _ => Step::all_is_well("", 0),
    });
    let host = fake.host();
    let mut flooded = host.start(&Script::new("flood")).await.unwrap();
    for _ in 0..20 {
        host.run(&script()).await.unwrap();
    }
    let mut size = 0;
    loop {
        match flooded.output.recv().await.unwrap() {
            Chunk::Stdout(data) => size += data.len(),
            other => break assert_eq!(other, Chunk::Ended(0)),
        }
    }
    assert_eq!(size, 8 << 20);
}

#[tokio::test(start_paused = true)]
async fn input_reaches_a_running_script_and_ends_with_its_sender() {
    let fake = FakeHost::new("tarn").answer(|_| vec![Step::Echo, Step::Status(0), Step::Close]);
    let host = fake.host();
    let mut running = host.start(&Script::new("cat")).await.unwrap();
    running.input.send(b"one ".to_vec()).await.unwrap();
    running.input.send(b"two".to_vec()).await.unwrap();
    drop(running.input);
    assert_eq!(running.output.recv().await, Some(Chunk::Stdout(b"one two".to_vec())));
    assert_eq!(running.output.recv().await, Some(Chunk::Ended(0)));
}

#[tokio::test(start_paused = true)]
async fn output_without_end_is_refused_before_it_fills_the_memory() {
    let piece = vec![b'x'; 1 << 20];
    let fake = FakeHost::new("tarn").answer(move |_| vec![Step::Stdout(piece.clone()); 80]);
    let error = fake.host().run(&script()).await.unwrap_err();
    assert_eq!(error.kind, HostErrorKind::Failed);
    assert!(error.message.contains("more than 64 MiB"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_cut_in_the_middle_goes_on_from_there() {
    let fake = FakeHost::new("tarn");
    let content = content(20_000_000);
    fs::write(fake.root().join("package"), &content).unwrap();
    fake.arm(Fault::CutAt(9_000_000));
    let directory = tempfile::tempdir().unwrap();
    let local = directory.path().join("package");
    let host = fake.host();
    let error = host.download("/package", &local).await.unwrap_err();
    assert_eq!(error.kind, HostErrorKind::Lost, "{error}");
    let first = fs::metadata(&local).unwrap().len();
    assert!(first <= 9_000_000 && fs::read(&local).unwrap() == content[..first as usize]);
    assert_eq!(host.download("/package", &local).await.unwrap(), 20_000_000 - first);
    assert!(fs::read(&local).unwrap() == content);
}

#[tokio::test]
async fn a_transfer_that_stands_still_fails_after_the_stall_timeout() {
    let fake = FakeHost::new("tarn").stall_timeout(Duration::from_millis(100));
    fs::write(fake.root().join("package"), content(20_000_000)).unwrap();
    fake.arm(Fault::FreezeAt(5_000_000));
    let directory = tempfile::tempdir().unwrap();
    let error = fake.host().download("/package", &directory.path().join("package")).await.unwrap_err();
    assert_eq!(error.kind, HostErrorKind::Lost);
    assert!(error.message.contains("no byte came for 100ms"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_small_file_that_does_not_come_fails_after_the_stall_timeout() {
    let fake = FakeHost::new("tarn");
    fs::write(fake.root().join("status"), "0").unwrap();
    fake.arm(Fault::FreezeAt(0));
    let host = fake.host();
    assert_eq!(host.read("/status", 10).await.unwrap_err().kind, HostErrorKind::Lost);
    // The session is given up, the host is not.
    assert_eq!(host.read("/status", 10).await.unwrap().unwrap(), b"0");
}

#[tokio::test]
async fn short_reads_are_asked_for_again() {
    let fake = FakeHost::new("tarn");
    let content = content(1_000_001);
    fs::write(fake.root().join("package"), &content).unwrap();
    fake.arm(Fault::Short(100_000));
    let directory = tempfile::tempdir().unwrap();
    let local = directory.path().join("package");
    assert_eq!(fake.host().download("/package", &local).await.unwrap(), 1_000_001);
    assert!(fs::read(&local).unwrap() == content);
}

#[tokio::test]
async fn a_server_that_knows_no_extensions_is_asked_for_small_pieces() {
    let fake = FakeHost::new("tarn");
    fake.arm(Fault::Plain);
    let directory = tempfile::tempdir().unwrap();
    let local = directory.path().join("package");
    let host = fake.host();
    for content in [content(1_000_001), content(100_000)] {
        host.write("/package", &content, 0o644).await.unwrap();
        let _earlier = fs::remove_file(&local);
        host.download("/package", &local).await.unwrap();
        assert!(fs::read(&local).unwrap() == content);
    }
    assert_eq!(fake.sent().iter().map(|sent| sent.length).max(), Some(32 << 10));
}

#[tokio::test]
async fn a_host_that_starts_no_server_is_told_at_once_with_the_cure() {
    let fake = FakeHost::new("tarn").stall_timeout(Duration::from_secs(3600));
    fake.arm(Fault::NoServer);
    let error = fake.host().read("/status", 10).await.unwrap_err();
    assert_eq!(error.kind, HostErrorKind::Failed);
    assert_eq!(error.message, "sshd refuses SFTP: enable `Subsystem sftp` in its sshd_config");
}

#[tokio::test]
async fn a_file_that_ends_early_or_is_corrupt_is_told_by_its_bytes() {
    let fake = FakeHost::new("tarn");
    let content = content(1_000_000);
    fs::write(fake.root().join("package"), &content).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let host = fake.host();
    fake.arm(Fault::EndAt(400_000));
    assert_eq!(host.download("/package", &directory.path().join("cut")).await.unwrap(), 400_000);
    fake.heal();
    fake.arm(Fault::CorruptAt(400_000));
    assert_eq!(host.download("/package", &directory.path().join("bad")).await.unwrap(), 1_000_000);
    assert!(fs::read(directory.path().join("bad")).unwrap() != content);
}

#[tokio::test]
async fn a_full_disk_there_is_named_with_the_path_and_the_cure() {
    let fake = FakeHost::new("tarn");
    fake.arm(Fault::Full(300_000));
    let directory = tempfile::tempdir().unwrap();
    let local = directory.path().join("package");
    fs::write(&local, content(2_000_000)).unwrap();
    let host = fake.host();
    fs::create_dir(fake.root().join("cache")).unwrap();
    for error in [
        host.upload(&local, "/cache/package", 0o644).await.unwrap_err(),
        host.write("/cache/package", &content(400_000), 0o644).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, HostErrorKind::NoSpace);
        assert_eq!(error.message, "cannot write /cache/package: no space left there; free some in /cache");
    }
    assert_eq!(fs::read_dir(fake.root().join("cache")).unwrap().count(), 0, "the half-written file is taken away");
    fake.heal();
    host.upload(&local, "/cache/package", 0o644).await.unwrap();
    assert!(fs::read(fake.root().join("cache/package")).unwrap() == content(2_000_000));
}

/// Waits for a half-written file in a directory.
async fn part_in(directory: &std::path::Path) {
    let is_there = || {
        let mut entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.any(|entry| entry.metadata().is_ok_and(|metadata| metadata.len() > 0))
    };
    while !is_there() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_broken_upload_left_is_taken_away_by_the_next_one() {
    let fake = FakeHost::new("tarn");
    let directory = tempfile::tempdir().unwrap();
    let local = directory.path().join("package");
    fs::write(&local, content(40_000_000)).unwrap();
    let cache = fake.root().join("cache");
    fs::create_dir(&cache).unwrap();
    let host = fake.host();
    let cut = async {
        part_in(&cache).await;
        fake.cut();
    };
    let (uploaded, ()) = tokio::join!(host.upload(&local, "/cache/package", 0o644), cut);
    assert_eq!(uploaded.unwrap_err().kind, HostErrorKind::Lost);
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 1);
    // A small file goes another way and takes it away as well.
    host.write("/small", b"small", 0o644).await.unwrap();
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
    // One that is given up without a word is no different.
    tokio::select! {
        result = host.upload(&local, "/cache/package", 0o644) => panic!("{result:?}"),
        () = part_in(&cache) => {}
    }
    host.upload(&local, "/cache/package", 0o644).await.unwrap();
    assert!(fs::read(cache.join("package")).unwrap() == content(40_000_000));
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 1);
}

#[tokio::test]
async fn a_transfer_does_not_delay_commands() {
    let fake = FakeHost::new("tarn").stall_timeout(Duration::from_secs(3600));
    fs::write(fake.root().join("package"), content(20_000_000)).unwrap();
    fake.arm(Fault::FreezeAt(5_000_000));
    let directory = tempfile::tempdir().unwrap();
    let local = directory.path().join("package");
    let host = fake.host();
    let script = script();
    tokio::select! {
        result = host.download("/package", &local) => panic!("{result:?}"),
        output = host.run(&script) => assert_eq!(output.unwrap().status, 0),
    }
    assert_eq!(fake.connections(), 2);
}

#[tokio::test]
async fn what_goes_out_keeps_to_the_limit_that_it_shares() {
    let fake = FakeHost::new("tarn");
    let pace = Arc::new(Pace::new(NonZeroU64::new(4_000_000).unwrap()));
    let (one, other) = (fake.host().at_pace(Some(Arc::clone(&pace))), fake.host().at_pace(Some(pace)));
    let directory = tempfile::tempdir().unwrap();
    let local = directory.path().join("package");
    fs::write(&local, content(2_000_000)).unwrap();
    let begin = std::time::Instant::now();
    let (first, second) = tokio::join!(one.upload_on(&local, "/one", 0o644), other.upload_on(&local, "/other", 0o644));
    first.and(second).unwrap();
    // Half a second each, one behind the other; the last piece goes as soon as it is its turn.
    assert!(begin.elapsed() >= Duration::from_millis(900), "{:?}", begin.elapsed());
    assert!(["one", "other"].iter().all(|name| fs::read(fake.root().join(name)).unwrap() == content(2_000_000)));
}

#[tokio::test(start_paused = true)]
async fn a_dead_host_fails_for_all_who_wait_with_one_attempt() {
    let fake = FakeHost::new("tarn").dead();
    let host = fake.host();
    let text = script();
    let begin = tokio::time::Instant::now();
    let results = futures::future::join_all((0..50).map(|_| host.run(&text))).await;
    assert!(results.iter().all(|result| matches!(result, Err(error) if error.kind == HostErrorKind::Unreachable)));
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}
