use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const OTHER_SHA256: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A server of one repository, `owner/small`.
struct Server {
    endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server that has the bytes `files` by path.
    fn start(files: BTreeMap<String, String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let endpoint = format!("http://{}", listener.local_addr().expect("address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let mut line = String::new();
                reader.read_line(&mut line).expect("reads");
                let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {}
                let (status, body) = match files.get(&path) {
                    Some(body) => ("200 OK", body.as_str()),
                    None => ("404 Not Found", ""),
                };
                log.lock().expect("lock").push(path);
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                reader
                    .into_inner()
                    .write_all(format!("{head}{body}").as_bytes())
                    .expect("writes");
            }
        });
        Self { endpoint, requests }
    }

    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().expect("lock"))
    }
}

fn info(revision: &str, siblings: &str) -> (String, String) {
    let path = format!("/api/models/owner/small/revision/{revision}?blobs=true");
    let info = format!(
        r#"{{"sha": "{COMMIT}", "cardData": {{"license": "mit"}}, "siblings": [{siblings}]}}"#
    );
    (path, info)
}

fn file(name: &str, content: &str) -> (String, String) {
    (
        format!("/owner/small/resolve/{COMMIT}/{name}"),
        content.to_owned(),
    )
}

/// Returns a server whose weights have the checksum `sha256` in its description.
fn server(sha256: &str) -> Server {
    let siblings = format!(
        r#"{{"rfilename": "config.json"}}, {{"rfilename": "README.md"}},
        {{"rfilename": "../outside/config.json"}}, {{"rfilename": "1_Pooling/config.json"}},
        {{"rfilename": "2_Dense/model.safetensors"}}, {{"rfilename": "onnx/model.safetensors"}},
        {{"rfilename": "model.safetensors", "lfs": {{"sha256": "{sha256}"}}}}"#
    );
    Server::start(BTreeMap::from([
        info("main", &siblings),
        info("v1", &siblings),
        info(COMMIT, &siblings),
        file("config.json", "{}"),
        file("1_Pooling/config.json", "{\"a\": 1}"),
        file("2_Dense/model.safetensors", "dense"),
        file("model.safetensors", "weights"),
    ]))
}

fn sha256_of_weights() -> String {
    fetch::hexadecimal(&Sha256::digest(b"weights"))
}

fn download(name: &str, server: &Server, dir: &Path) -> Result<(), FetchError> {
    get(&name.parse()?, &server.endpoint, dir, &mut |_| {})
}

#[test]
fn the_files_of_an_encoder_are_downloaded_at_a_commit_and_recorded() {
    let dir = tempfile::tempdir().expect("folder");
    let server = server(&sha256_of_weights());
    download("hf:owner/small", &server, dir.path()).expect("downloads");
    let folder = dir.path().join("owner--small");
    let record = Record::load(&folder).expect("record");
    assert_eq!(record.source, Some(format!("hf:owner/small@{COMMIT}")));
    assert_eq!(record.license, "mit");
    let files: Vec<&String> = record.files.keys().collect();
    let expected = [
        "1_Pooling/config.json",
        "2_Dense/model.safetensors",
        "config.json",
        "model.safetensors",
    ];
    assert_eq!(files, expected);
    assert_eq!(record.files["model.safetensors"], sha256_of_weights());
    assert_eq!(
        std::fs::read(folder.join("model.safetensors")).expect("reads"),
        b"weights"
    );
    let lines = crate::models::verify(dir.path()).expect("verifies");
    let problems = |lines: &[crate::models::VerifyLine]| {
        let own = lines.iter().filter(|line| line.model == "owner--small");
        own.filter(|line| line.problem.is_some()).count()
    };
    assert_eq!(problems(&lines), 0);
    std::fs::write(folder.join("config.json"), "changed").expect("writes");
    assert_eq!(
        problems(&crate::models::verify(dir.path()).expect("verifies")),
        1
    );
}

#[test]
fn an_intact_model_is_not_downloaded_again() {
    let dir = tempfile::tempdir().expect("folder");
    let server = server(&sha256_of_weights());
    download("hf:owner/small@v1", &server, dir.path()).expect("downloads");
    assert_eq!(server.requests().len(), 5);
    // Any revision is locked by the record, and so is its commit.
    download("hf:owner/small", &server, dir.path()).expect("present");
    download(&format!("hf:owner/small@{COMMIT}"), &server, dir.path()).expect("present");
    assert_eq!(server.requests(), [] as [&str; 0]);
    // The commit of a tag has to be asked for.
    download("hf:owner/small@v1", &server, dir.path()).expect("present");
    assert_eq!(server.requests().len(), 1);
    std::fs::write(dir.path().join("owner--small/config.json"), "damaged").expect("writes");
    download("hf:owner/small", &server, dir.path()).expect("downloads");
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_wrong_checksum_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("folder");
    let error = download("hf:owner/small", &server(OTHER_SHA256), dir.path()).expect_err("refused");
    assert!(matches!(error, FetchError::Checksum { .. }), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).expect("reads").count(), 0);
}

#[test]
fn errors_name_the_address_or_what_is_missing() {
    let dir = tempfile::tempdir().expect("folder");
    let server = Server::start(BTreeMap::from([info(
        "main",
        r#"{"rfilename": "config.json"}"#,
    )]));
    let error = |name: &str| {
        download(name, &server, dir.path())
            .expect_err("refused")
            .to_string()
    };
    assert!(error("hf:owner/small").contains("expected one of model.safetensors"));
    let missing = error("hf:owner/nonesuch@v2");
    assert!(
        missing.contains("/api/models/owner/nonesuch/revision/v2") && missing.contains("404"),
        "{missing}"
    );
    for name in [
        "hf:small",
        "hf:a/b/c",
        "hf:../b",
        "hf:owner/small@a/b",
        "hf:owner/small@",
        "hf:o?/x",
    ] {
        let message = error(name);
        assert!(message.contains("expected hf:OWNER/NAME"), "{message}");
    }
}
