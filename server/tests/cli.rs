//! The program's commands, as a shell would call them.

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use vitrine_server::auth::{Action, Keys};

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine-server"));
    command.args(args).current_dir(folder);
    command
}

fn server(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn all_errors_of_all_sources_are_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = "colr = 1\n[limits]\nfoo = 2\ntimeout_ms = 0\n[log]\nlevel = \"a=b=c\"\n\
                [telemetry]\notlp_endpoint = \"collector:4318\"\nsample_ratio = 1.5\n";
    std::fs::write(folder.path().join("c.toml"), file).unwrap();
    let args = ["check-config", "--config", "c.toml", "--listen", "nowhere"];
    let mut checking = command(folder.path(), &args);
    checking.env("VITRINE_SERVER__LIMITS__QUEUE", "many");
    let output = checking.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    for error in [
        "c.toml: colr: unknown field",
        "c.toml: limits.foo: unknown field",
        "VITRINE_SERVER__LIMITS__QUEUE: invalid type",
        "--listen: invalid socket address",
        "limits.timeout_ms: 0 is out of range",
        "log.level: ",
        "telemetry.otlp_endpoint: expected an address such as http://localhost:4318",
        "telemetry.sample_ratio: 1.5 is out of range; expected 0 to 1",
    ] {
        assert!(errors.contains(error), "{error} is not in {errors}");
    }
}

#[test]
fn a_checked_configuration_is_one_to_use() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["check-config", "--data-dir", "elsewhere"];
    let printed = server(folder.path(), &args);
    assert!(printed.status.success(), "{printed:?}");
    assert!(text(&printed.stdout).contains("data_dir = \"elsewhere\""));
    std::fs::write(folder.path().join("c.toml"), &printed.stdout).unwrap();
    let again = server(folder.path(), &["check-config", "--config", "c.toml"]);
    assert_eq!(text(&again.stdout), text(&printed.stdout), "{again:?}");
}

#[test]
fn a_keys_secret_is_printed_once_and_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let create = |name| {
        let args = ["keys", "create", "--name", name, "--actions", "read,write"];
        let more = ["--collections", "shop,live", "--keys-file", "keys.toml"];
        server(folder.path(), &[&args[..], &more].concat())
    };
    let (first, second) = (create("one"), create("two"));
    let path = folder.path().join("keys.toml");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let keys = Keys::load(&path).unwrap();
    for (output, name) in [(first, "one"), (second, "two")] {
        let secret = text(&output.stdout);
        let secret = secret.trim();
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(secret.len() > 64 && !kept.contains(secret));
        let key = keys.find(secret).expect("the key of its secret");
        assert_eq!(key.name, name);
        assert_eq!(key.actions, [Action::Read, Action::Write]);
        assert!(key.covers("live") && !key.covers("other"));
    }
    let again = create("one");
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("`one`"), "{again:?}");
}

#[test]
fn a_keys_file_without_a_key_does_not_open_the_server() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.toml"), "").unwrap();
    let args = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--keys-file",
        "keys.toml",
    ];
    let output = server(folder.path(), &args);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("has no key"), "{output:?}");
}

#[test]
fn the_description_printed_is_the_one_served() {
    let output = server(Path::new("."), &["openapi"]);
    assert_eq!(text(&output.stdout), vitrine_server::openapi::text());
}

#[test]
fn missing_folders_are_reported_by_their_setting() {
    let folder = tempfile::tempdir().unwrap();
    for (flag, setting) in [
        ("--images-root", "images.root"),
        ("--reports-dir", "reports_dir"),
    ] {
        let output = server(
            folder.path(),
            &["serve", "--listen", "127.0.0.1:0", flag, "nowhere"],
        );
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        assert!(error.contains(&format!("{setting}: nowhere: ")), "{error}");
    }
    let file = "[images]\nroot = \"a\"\n[images.roots]\nshop = \"b\"\n";
    std::fs::write(folder.path().join("c.toml"), file).unwrap();
    let printed = server(
        folder.path(),
        &["check-config", "--config", "c.toml", "--images-root", "c"],
    );
    let printed = text(&printed.stdout);
    assert!(
        printed.contains("root = \"c\"") && printed.contains("shop = \"b\""),
        "{printed}"
    );
}
