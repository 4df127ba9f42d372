//! The SSH layer against OpenSSH's own sshd on a loopback port.

use std::fs;

use swarm::ssh::{Chunk, Host, HostErrorKind, RemoteHost, Script};

#[cfg(test)]
#[path = "support/sshd.rs"]
mod sshd;

use sshd::Sshd;

#[tokio::test(flavor = "multi_thread")]
async fn a_script_runs_and_its_output_and_status_come_back() {
    let sshd = Sshd::start("");
    let host = RemoteHost::new(&sshd.destination());
    assert_eq!(host.address(), None);
    host.connect().await.unwrap();
    assert_eq!(host.address().as_deref(), Some("127.0.0.1"));
    let script =
        Script::new("printf \"<%s>\\n\" \"$value\"; echo wrong >&2; exit 3").set("value", "a 'b' \"c\" $d \\e");
    let output = host.run(&script).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "<a 'b' \"c\" $d \\e>\n");
    assert_eq!((output.stderr.as_slice(), output.status), (b"wrong\n".as_slice(), 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_killed_is_lost_and_not_a_success() {
    let sshd = Sshd::start("");
    let host = RemoteHost::new(&sshd.destination());
    let error = host.run(&Script::new("kill -9 $$")).await.unwrap_err();
    assert_eq!(error.kind, HostErrorKind::Lost);
}

#[tokio::test(flavor = "multi_thread")]
async fn input_comes_in_pieces_to_a_started_script() {
    let sshd = Sshd::start("");
    let host = RemoteHost::new(&sshd.destination());
    let mut running =
        host.start(&Script::new("while read -r line; do echo \"got $line\"; done; exit 4")).await.unwrap();
    for word in ["one\n", "two\n"] {
        running.input.send(word.as_bytes().to_vec()).await.unwrap();
        assert_eq!(running.output.recv().await, Some(Chunk::Stdout(format!("got {word}").into_bytes())));
    }
    drop(running.input);
    assert_eq!(running.output.recv().await, Some(Chunk::Ended(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_written_whole_and_read_in_part() {
    let sshd = Sshd::start("");
    let host = RemoteHost::new(&sshd.destination());
    let path = sshd.directory.path().join("file");
    let remote = path.to_str().unwrap();
    assert_eq!(host.read(remote, 10).await.unwrap(), None);
    for content in [b"first".to_vec(), vec![7; 3 << 20]] {
        host.write(remote, &content, 0o640).await.unwrap();
        assert_eq!(host.read(remote, 4 << 20).await.unwrap().unwrap(), content);
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
    assert_eq!(host.read_from(remote, (3 << 20) - 2, 10).await.unwrap().unwrap(), [7, 7]);
    assert!(host.read_from(remote, 5 << 20, 10).await.unwrap().unwrap().is_empty());
    assert_eq!(host.read(remote, 10).await.unwrap_err().kind, HostErrorKind::Failed);
    let error = host.write("/nowhere/file", b"", 0o600).await.unwrap_err();
    assert_eq!(error.kind, HostErrorKind::Failed);
    assert!(error.message.contains("/nowhere"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_goes_both_ways_and_on_from_where_it_stopped() {
    let sshd = Sshd::start("");
    let host = RemoteHost::new(&sshd.destination());
    let (source, there, back) =
        (sshd.directory.path().join("a"), sshd.directory.path().join("b"), sshd.directory.path().join("c"));
    let content: Vec<u8> = (0..40_000_001_u32).map(|number| (number / 7 % 251) as u8).collect();
    fs::write(&source, &content).unwrap();
    host.upload(&source, there.to_str().unwrap(), 0o600).await.unwrap();
    assert!(fs::read(&there).unwrap() == content);
    fs::write(&back, &content[..12_345_678]).unwrap();
    let count = host.download(there.to_str().unwrap(), &back).await.unwrap();
    assert_eq!(count, 40_000_001 - 12_345_678);
    assert!(fs::read(&back).unwrap() == content);
    assert_eq!(host.download(there.to_str().unwrap(), &back).await.unwrap(), 0);
    let leftovers = fs::read_dir(sshd.directory.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".part"));
    assert_eq!(leftovers.count(), 0);
}
