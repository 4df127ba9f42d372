//! Alarms told by the real binary: to programs of the operator's, a mail system's stand-in and a web server.

pub mod place;

use std::process::Command;

use place::{Place, parsed, web_server};

const MAIL: &str = "[notify.mail]\nmail = [\"root@example.org\", \"ops@example.org\"]\nsendmail = \"PLACE/sendmail\"\n";

#[test]
fn a_failed_build_is_mailed_once_with_what_lets_one_act() {
    let place = Place::new(MAIL);
    place.fail_a_build();
    for _ in 0..3 {
        place.said(&["notify", "--check"]);
    }
    let mails = place.mails();
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(mail["defects"], serde_json::json!([]), "{mail}");
    assert_eq!(mail["headers"]["Subject"], "[swarm argo] app-misc/foo-1.0 failed: build");
    assert_eq!(mail["headers"]["To"], "root@example.org, ops@example.org");
    assert_eq!(mail["headers"]["Auto-Submitted"], "auto-generated");
    assert!(mail["headers"]["From"].as_str().unwrap().starts_with("swarm@"), "{mail}");
    assert!(mail["headers"]["Message-ID"].as_str().unwrap().ends_with('>'), "{mail}");
    let now = swarm::controller::now().0 as f64;
    assert!((mail["date"].as_f64().unwrap() - now).abs() < 120.0, "{mail}");
    let body = mail["body"].as_str().unwrap();
    for part in [
        "compile phase: emake failed: foo.c:7: error: 'näh' undeclared",
        &format!("log: {}/logs/app-misc/foo-1.0/build1-1.log", place.text("state")),
        "next: swarm logs app-misc/foo-1.0",
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    assert_eq!(place.state().alarms.standing().count(), 1);
    let status: serde_json::Value = serde_json::from_str(&place.said(&["status", "--json"])).unwrap();
    assert_eq!(status["alarms"][0]["cause"], "package capella app-misc/foo-1.0", "{status}");
    assert_eq!(status["alarms"][0]["next"], "swarm logs app-misc/foo-1.0", "{status}");
    assert!(place.said(&["status"]).contains("app-misc/foo-1.0 failed: build"));

    place.said(&["reset", "--yes"]);
    let mut subjects: Vec<_> = place.mails().iter().map(|mail| mail["headers"]["Subject"].to_string()).collect();
    subjects.sort();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(subjects[1].contains("recovered: app-misc/foo-1.0 failed"), "{subjects:?}");
}

#[test]
fn all_channels_get_the_same_each_in_its_form_and_those_that_fail_are_named_and_asked_again() {
    let (port, served) = web_server(&["500 No", "204 Good"]);
    let channels = format!(
        "{MAIL}[notify.chat]\nwebhook = \"http://127.0.0.1:{port}/hook/secret?key=1\"\ntoken_file = \"PLACE/token\"\n\
         [notify.pager]\ncommand = [\"PLACE/page\", \"--urgent; touch pwned\"]\non = [\"failure\"]\n\
         [notify.broken]\ncommand = [\"PLACE/none\"]\n"
    );
    let place = Place::new(&channels);
    std::fs::write(place.path("token"), "hunter2\n").unwrap();
    place.program("page", "echo \"$1 $SWARM_NAME $SWARM_SUBJECT $SWARM_RAISED\" > paged; cat >> paged");
    place.fail_a_build();
    let output = place.swarm(&["notify", "--check"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(place.mails().len(), 1);
    let paged = std::fs::read_to_string(place.path("paged")).unwrap();
    assert!(
        paged.starts_with("--urgent; touch pwned argo [swarm argo] app-misc/foo-1.0 failed: build 1\n"),
        "no shell is between: {paged}"
    );
    assert!(paged.contains("next: swarm logs app-misc/foo-1.0"), "{paged}");
    assert!(!place.path("pwned").exists());
    let status: serde_json::Value = serde_json::from_str(&place.said(&["status", "--json"])).unwrap();
    assert_eq!(status["channels"]["chat"]["why"], format!("(at 127.0.0.1:{port}) answers 500: heard"), "{status}");
    assert!(status["channels"]["broken"]["why"].as_str().unwrap().contains("/none"), "{status}");
    let text = place.said(&["status"]);
    assert!(text.contains("not told: chat fails since") && !text.contains("secret"), "{text}");

    // Each is asked again after its pause, and nobody who was told is told again.
    place.said(&["notify", "--check"]);
    assert_eq!(place.mails().len(), 1);
    assert_eq!(place.said(&["notify", "--test", "chat"]), "chat was told\n");
    let got = served.join().unwrap();
    let (head, body) = &got[0];
    assert!(head.starts_with("POST /hook/secret?key=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Bearer hunter2\r\n"), "{head}");
    assert_eq!(body["swarm"], "argo");
    assert_eq!(body["raised"][0]["headline"], "app-misc/foo-1.0 failed: build", "{body}");
    assert_eq!(body["raised"][0]["next"], "swarm logs app-misc/foo-1.0", "{body}");
    assert_eq!(body["cleared"], serde_json::json!([]));
    assert!(body["text"].as_str().unwrap().contains("emake failed"), "{body}");
    assert_eq!(got[1].1["subject"], "[swarm argo] a test");
}

#[cfg(feature = "failpoints")]
#[test]
fn a_controller_that_is_killed_once_a_mail_went_out_sends_it_again_rather_than_never() {
    let place = Place::new(MAIL);
    place.fail_a_build();
    let killed = place.swarm_at(Some("after-telling"), &["notify", "--check"]);
    assert_eq!(killed.status.code(), None, "{killed:?}");
    assert_eq!(place.mails().len(), 1);
    assert!(place.state().alarms.standing().all(|alarm| alarm.told.is_empty()));
    for _ in 0..2 {
        place.said(&["notify", "--check"]);
    }
    assert_eq!(place.mails().len(), 2, "the one of which nothing is known, and never again");
}

#[test]
fn any_text_makes_a_mail_that_reads_as_it_was_written() {
    let place = Place::new(MAIL);
    let long = "x".repeat(3000);
    for (subject, text) in [
        ("plain", "one line"),
        ("Grüße von drüben, und zwar so lange, dass eine Zeile dafür nicht reicht: äöüß äöüß äöüß äöüß", "ä\nß"),
        ("a subject of plain letters that is far too long for one line of a header, and for two as well", &long),
        ("=?utf-8?B?YQ==?=", ".\nFrom here\n.\n"),
        ("two\nBcc: everybody@example.org", "text"),
    ] {
        place.said(&["notify", "--message", text, "--subject", subject]);
        let mails = std::fs::read_dir(place.path("mails")).unwrap().map(|entry| entry.unwrap().path());
        let file = mails.last().unwrap();
        let mail = parsed(&file);
        std::fs::remove_file(file).unwrap();
        assert_eq!(mail["defects"], serde_json::json!([]), "{mail}");
        assert_eq!(mail["headers"]["Subject"], format!("[swarm argo] {}", subject.replace('\n', " ")), "{mail}");
        assert!(mail["headers"].get("Bcc").is_none(), "{mail}");
        assert!(mail["body"].as_str().unwrap().starts_with(text.trim_end()), "{mail}");
        assert!(mail["longest"].as_u64().unwrap() <= 999, "{mail}");
    }
}

#[test]
fn what_cannot_be_told_is_said_with_the_reason() {
    let place = Place::new("");
    let output = place.swarm(&["notify", "--test"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("[notify.NAME]"), "{output:?}");
    place.write_inventory(MAIL);
    let output = place.swarm(&["notify", "--test", "mial"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean `mail`?"), "{output:?}");
    place.program("sendmail", "echo no such user >&2; exit 67");
    let output = place.swarm(&["notify", "--test"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("mail was not told: ") && said.contains("exit status: 67: no such user"), "{said}");
    // What a mail system leaves behind in the background is not waited for.
    place.program("sendmail", "sleep 3600 & echo $! > left; cat > /dev/null");
    assert_eq!(place.said(&["notify", "--message", "hello"]), "mail was told\n");
    let left = std::fs::read_to_string(place.path("left")).unwrap();
    assert!(Command::new("kill").arg(left.trim()).status().unwrap().success());
}

#[test]
fn whoever_wants_the_controllers_place_waits_for_one_that_only_tells_what_is_wrong() {
    let place = Place::new(MAIL);
    place.program("sendmail", "touch started; while [ ! -e go ]; do sleep 0.05; done; cat > /dev/null");
    place.fail_a_build();
    let mut tells = place.command(&["notify", "--check"]).spawn().unwrap();
    while !place.path("started").exists() {
        assert!(tells.try_wait().unwrap().is_none(), "it ended before it told anybody");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let mut drains = place.command(&["drain", "izar"]).spawn().unwrap();
    assert!(drains.try_wait().unwrap().is_none());
    std::fs::write(place.path("go"), "").unwrap();
    assert!(tells.wait().unwrap().success() && drains.wait().unwrap().success());
    assert!(place.state().drones.values().all(|drone| drone.draining));
}
