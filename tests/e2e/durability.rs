//! A full disk and then room again, without a restart; backup, restore and verify by commands.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{SERVER, Server};

/// A small disk of its own, for root only.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &Path, mib: u32) -> Option<Self> {
        fs::create_dir_all(folder).ok()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(folder)
            .output()
            .ok()?;
        mounted.status.success().then(|| Self(folder.to_owned()))
    }

    /// Fills what is left; returns the file that does.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("junk");
        let mut file = fs::File::create(&path).expect("a file");
        let zeros = vec![0; 1 << 16];
        while file.write_all(&zeros).is_ok() {}
        while file.write_all(&zeros[..512]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l"]).arg(&self.0).status();
    }
}

fn items(from: usize, count: usize) -> Value {
    (from..from + count)
        .map(|n| {
            let noise = format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(40);
            json!({"id": format!("i{n}"), "description": noise, "vectors": {"shared": [1, n]}})
        })
        .collect()
}

fn create_shop(server: &Server) {
    let config = json!({"vectors": {"shared": {"dim": 2}}});
    assert!(server.send("PUT", "/v1/collections/shop", &config).0 < 300);
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{what}: not in 60 s"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn writes_resume_after_a_full_disk_and_reads_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk"), 160) else {
        eprintln!("skipped: no right to mount a small disk");
        return;
    };
    let data = disk.0.join("data");
    let reserve = [("VITRINE_SERVER__LIMITS__DISK_RESERVE_BYTES", "0")];
    let server = Server::with_variables(&data, &reserve);
    create_shop(&server);
    let mut stored = 0;
    while stored < 8_000 {
        let (status, answer) =
            server.send("PUT", "/v1/collections/shop/items", &items(stored, 500));
        assert_eq!(status, 200, "{answer}");
        stored += 500;
    }
    let junk = disk.fill();
    // Writes of items are refused before the store is touched; changes of aliases are not.
    let aliases: Value = (0..1_000)
        .map(|n| {
            let alias = format!("alias-{n}-of-the-shop");
            json!({"action": "set", "alias": alias, "collection": "shop"})
        })
        .collect();
    let aliases = json!({"actions": aliases});
    until("a full disk fails a write", || {
        server.send("POST", "/v1/aliases", &aliases).0 != 200
    });
    let (status, answer) = server.send("PUT", "/v1/collections/shop/items", &items(stored, 1));
    assert!(status == 503 || status == 507, "{answer}");
    let read = || {
        server
            .send("GET", "/v1/collections/shop/items/i7", &Value::Null)
            .0
    };
    assert_eq!(read(), 200, "reads go on");
    until("not ready", || {
        server.send("GET", "/readyz", &Value::Null).0 == 503
    });
    let (_, readiness) = server.send("GET", "/readyz", &Value::Null);
    assert_eq!(readiness["status"], "unavailable", "{readiness}");
    assert!(!readiness["reasons"].as_array().unwrap().is_empty());
    assert_eq!(read(), 200, "reads go on");

    fs::remove_file(junk).unwrap();
    until("ready again", || {
        server.send("GET", "/readyz", &Value::Null).0 == 200
    });
    let (status, answer) = server.send("PUT", "/v1/collections/shop/items", &items(50_000, 1));
    assert_eq!(status, 200, "writes resume: {answer}");
    assert_eq!(
        server
            .send("DELETE", "/v1/collections/shop/items/i7", &Value::Null)
            .0,
        204
    );
    // One was deleted, one was added.
    let count = |server: &Server| {
        let (_, count) = server.send("POST", "/v1/collections/shop/items/count", &json!({}));
        count["count"].as_u64().unwrap() as usize
    };
    assert_eq!(count(&server), stored);
    drop(server);
    let server = Server::with_variables(&data, &reserve);
    assert_eq!(count(&server), stored, "nothing acknowledged is lost");
}

fn run(args: &[&str]) -> Output {
    Command::new(SERVER)
        .args(args)
        .output()
        .expect("the command runs")
}

fn text(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(error)
}

fn succeed(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output));
    text(&output)
}

fn refused(args: &[&str]) -> String {
    let output = run(args);
    assert!(!output.status.success(), "{args:?} was accepted");
    text(&output)
}

#[test]
fn a_database_is_backed_up_checked_and_restored_by_commands() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (data, backups, restored) = (path("data"), path("backups"), path("restored"));
    let mut server = Server::start(Path::new(&data));
    create_shop(&server);
    let (status, answer) = server.send("PUT", "/v1/collections/shop/items", &items(0, 300));
    assert_eq!(status, 200, "{answer}");
    let locked = refused(&["backup", "--data-dir", &data, "--to", &backups]);
    assert!(locked.contains("--server"), "{locked}");
    let locked = refused(&["verify", "--data-dir", &data]);
    assert!(locked.contains("in use"), "{locked}");
    assert!(server.terminate());

    succeed(&["verify", "--data-dir", &data]);
    succeed(&["backup", "--data-dir", &data, "--to", &backups]);
    succeed(&["verify", "--from", &backups]);
    succeed(&["restore", "--from", &backups, "--data-dir", &restored]);
    let again = refused(&["restore", "--from", &backups, "--data-dir", &restored]);
    assert!(again.contains("not empty"), "{again}");
    let server = Server::start(Path::new(&restored));
    let (_, count) = server.send("POST", "/v1/collections/shop/items/count", &json!({}));
    assert_eq!(count["count"], 300);
    drop(server);

    let target = [("VITRINE_SERVER__BACKUP__TARGET", backups.as_str())];
    let server = Server::with_variables(Path::new(&data), &target);
    let made = succeed(&["backup", "--server", &server.url]);
    assert!(made.contains("complete"), "{made}");
    let (_, listed) = server.send("GET", "/v1/snapshots", &Value::Null);
    assert_eq!(listed["snapshots"].as_array().unwrap().len(), 2, "{listed}");
}

#[test]
fn a_damaged_store_is_refused_by_verify_and_by_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut server = Server::start(&data);
    create_shop(&server);
    let (status, answer) = server.send("PUT", "/v1/collections/shop/items", &items(0, 300));
    assert_eq!(status, 200, "{answer}");
    assert!(server.terminate());
    let current = fs::read_to_string(data.join("CURRENT")).unwrap();
    let manifest = data.join(current.trim());
    let bytes = fs::read(&manifest).unwrap();
    fs::write(&manifest, &bytes[..bytes.len() / 2]).unwrap();
    let folder = data.to_str().unwrap();
    for args in [
        &["verify", "--data-dir", folder][..],
        &["serve", "--listen", "127.0.0.1:0", "--data-dir", folder],
    ] {
        let text = refused(args);
        assert!(
            text.contains("is damaged") && text.contains("MANIFEST"),
            "{text}"
        );
        assert!(text.contains("vitrine-server restore"), "{text}");
    }
}
