//! Encrypted connections: the server's certificate is checked, and replaced without a restart.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::harness::{SERVER, Server};

/// Time within which a new certificate is in use.
const RELOAD_TIME: Duration = Duration::from_secs(20);

/// Writes a certificate for `localhost` and its key; returns the certificate.
fn write_certificate(folder: &Path) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
    fs::write(folder.join("certificate.pem"), made.cert.pem()).expect("written");
    made.cert.der().to_vec()
}

/// Sends a request as a client that trusts one certificate.
fn status(url: &str, trusted: &[u8]) -> Result<u16, ureq::Error> {
    let trusted = Certificate::from_der(trusted).to_owned();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(vec![trusted])))
        .build();
    let agent: ureq::Agent = ureq::Agent::config_builder().tls_config(tls).build().into();
    agent
        .get(url)
        .call()
        .map(|response| response.status().as_u16())
}

#[test]
fn a_replaced_certificate_is_used_without_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let first = write_certificate(folder.path());
    let server = Server::with_variables(
        &folder.path().join("data"),
        &[
            (
                "VITRINE_SERVER__TLS__CERTIFICATE_FILE",
                &file("certificate.pem"),
            ),
            ("VITRINE_SERVER__TLS__KEY_FILE", &file("key.pem")),
        ],
    );
    let port = server.url.rsplit_once(':').expect("a port").1;
    let url = format!("https://localhost:{port}/healthz");
    assert_eq!(status(&url, &first).expect("an answer"), 200);
    let plain = ureq::get(format!("http://localhost:{port}/healthz")).call();
    assert!(plain.is_err(), "the server answers without TLS");

    // A broken file changes nothing; a new pair replaces the first.
    fs::write(folder.path().join("certificate.pem"), "no certificate").expect("written");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(status(&url, &first).expect("an answer"), 200);
    let second = write_certificate(folder.path());
    let started = Instant::now();
    while status(&url, &second).is_err() {
        assert!(
            started.elapsed() < RELOAD_TIME,
            "the new certificate is not used"
        );
    }
    assert!(
        status(&url, &first).is_err(),
        "the old certificate is still used"
    );
}

#[test]
fn wrong_files_are_named_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    write_certificate(folder.path());
    fs::write(folder.path().join("empty.pem"), "").expect("written");
    for (certificate, key, expected) in [
        ("empty.pem", "key.pem", "tls.certificate_file"),
        ("missing.pem", "key.pem", "missing.pem"),
        ("certificate.pem", "certificate.pem", "tls.key_file"),
    ] {
        let output = std::process::Command::new(SERVER)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path().join("data"))
            .env(
                "VITRINE_SERVER__TLS__CERTIFICATE_FILE",
                folder.path().join(certificate),
            )
            .env("VITRINE_SERVER__TLS__KEY_FILE", folder.path().join(key))
            .output()
            .expect("the server binary starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && text.contains(expected),
            "{text}"
        );
    }
}
