//! A release at an orchestrator whose clients are asked for: what they cannot read is swapped back, what nobody can ask stays.

use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, Uri};
use tempfile::TempDir;

use super::*;
use crate::core::names::Epoch;
use crate::core::names::Timestamp;
use crate::http::client::Client;
use crate::portage::index::Index;
use crate::release::testing::write_index;
use crate::ssh::LocalHost;

/// An orchestrator on this machine whose web server serves some directory.
struct Site {
    root: TempDir,
    binhost: HttpUrl,
}

impl Site {
    /// What it serves is below `served`, which may lead anywhere.
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let served = root.path().join("served");
        let answer = move |uri: Uri| {
            let file = served.join(uri.path().trim_start_matches("/packages/"));
            async move { std::fs::read(file).map_err(|_| StatusCode::NOT_FOUND) }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let binhost = format!("http://{}/packages", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        Self { root, binhost }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn serves(&self, what: &str) {
        let _first = std::fs::remove_file(self.path("served"));
        std::os::unix::fs::symlink(self.path(what), self.path("served")).unwrap();
    }

    /// A release here.
    fn release(&self, number: u64) -> Release {
        let name = ReleaseName::new(Epoch(1), number);
        let root = self.path("here").join(name.as_str());
        std::fs::create_dir_all(&root).unwrap();
        let timestamp = Timestamp(1_700_000_000 + i64::try_from(number).unwrap());
        write_index(&Index::default(), &root, timestamp);
        Release { name, root }
    }

    async fn publish(&self, live: &Release) -> Publication {
        let errand = Errand {
            staging: String::new(),
            production: self.path("there/production").display().to_string(),
            here: false,
            live: live.clone(),
            kept: Vec::new(),
            visitor: Visitor {
                epoch: Epoch(1),
                controller: "ours-1".parse().unwrap(),
                take_over: false,
                elected: false,
            },
            receivers: vec![Receiver {
                name: "orch-izar".parse().unwrap(),
                way: Way::Host {
                    host: Arc::new(LocalHost::here()),
                    workdir: self.path("work").display().to_string(),
                    binhost: self.binhost.clone(),
                },
            }],
            reader: Reader::with(Client::new(None, Duration::from_secs(5))),
        };
        std::fs::create_dir_all(self.path("there")).unwrap();
        errand.run().await
    }

    fn live(&self) -> String {
        let link = std::fs::read_link(self.path("there/production")).unwrap();
        link.file_name().unwrap().to_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn what_clients_of_an_orchestrator_cannot_read_is_swapped_back_there() {
    let site = Site::new().await;
    let (first, second) = (site.release(1), site.release(2));
    site.serves("there/production");
    let publication = site.publish(&first).await;
    assert!(publication.is_good());
    let line = publication.lines().remove(0);
    assert!(line.starts_with("orch-izar: release 000001-000001 is live there; 2 files were sent"), "{line}");

    site.serves("there/production.releases/000001-000001");
    let publication = site.publish(&second).await;
    assert!(!publication.is_good());
    let line = publication.lines().remove(0);
    for words in [
        "orch-izar: clients cannot read release 000001-000002 there: http://127.0.0.1:",
        "/packages/Packages.gz gives another index, of TIMESTAMP 1700000001 and not 1700000002. It was swapped back, \
         000001-000001 is live there as before",
    ] {
        assert!(line.contains(words), "{line}");
    }
    assert_eq!(site.live(), "000001-000001");

    site.serves("nowhere");
    let publication = site.publish(&second).await;
    assert!(publication.lines()[0].contains("/packages/Packages.gz answers 404"), "{publication:?}");
    site.serves("there/production");
    assert!(site.publish(&second).await.is_good());
    assert_eq!(site.live(), "000001-000002");
}

#[tokio::test]
async fn one_that_cannot_be_asked_from_here_keeps_the_release() {
    let mut site = Site::new().await;
    site.binhost = "http://127.0.0.1:1/packages".parse().unwrap();
    let publication = site.publish(&site.release(1)).await;
    assert!(publication.is_good());
    assert!(publication.lines()[0].contains("its index could not be read back: http://127.0.0.1:1"), "{publication:?}");
    assert_eq!(site.live(), "000001-000001");
}
