//! A `vitrine-server` process on a free port, over a data directory that outlives it.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// The server binary under test.
pub const SERVER: &str = env!("CARGO_BIN_EXE_vitrine-server");

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub url: String,
}

impl Server {
    /// Starts a server and waits until it responds.
    pub fn start(data: &Path) -> Self {
        Self::launch(data, "127.0.0.1:0", &[])
    }

    /// Restarts a server at its old address.
    pub fn restart(data: &Path, url: &str) -> Self {
        Self::launch(data, url.trim_start_matches("http://"), &[])
    }

    /// Starts a server with encoders.
    pub fn with_models(data: &Path, models: &Path) -> Self {
        Self::launch(
            data,
            "127.0.0.1:0",
            &["--models-dir".as_ref(), models.as_os_str()],
        )
    }

    /// Starts a server with environment variables.
    pub fn with_variables(data: &Path, variables: &[(&str, &str)]) -> Self {
        Self::launch_with(data, "127.0.0.1:0", &[], variables)
    }

    fn launch(data: &Path, listen: &str, flags: &[&OsStr]) -> Self {
        Self::launch_with(data, listen, flags, &[])
    }

    fn launch_with(
        data: &Path,
        listen: &str,
        flags: &[&OsStr],
        variables: &[(&str, &str)],
    ) -> Self {
        let flags: Vec<_> = ["--listen".as_ref(), listen.as_ref()]
            .into_iter()
            .chain(flags.iter().copied())
            .collect();
        Self::spawn(data, &flags, variables).expect("the server gets ready")
    }

    /// Starts a server on a free port with flags and environment variables.
    ///
    /// # Errors
    /// It ended; its messages.
    pub fn try_launch(
        data: &Path,
        flags: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Self, String> {
        let flags = ["--listen", "127.0.0.1:0"].iter().chain(flags);
        let flags: Vec<_> = flags.map(OsStr::new).collect();
        Self::spawn(data, &flags, variables)
    }

    fn spawn(data: &Path, flags: &[&OsStr], variables: &[(&str, &str)]) -> Result<Self, String> {
        let address_file = data.with_extension("address");
        let _ = std::fs::remove_file(&address_file);
        let messages = data.with_extension("stderr");
        let stderr = std::fs::File::create(&messages).expect("a file for messages");
        let mut child = Command::new(SERVER)
            .args(["serve", "--data-dir"])
            .arg(data)
            .arg("--address-file")
            .arg(&address_file)
            .args(flags)
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("the server binary starts");
        let started = Instant::now();
        let address = loop {
            match std::fs::read_to_string(&address_file) {
                Ok(text) if !text.trim().is_empty() => break text.trim().to_owned(),
                _ => {}
            }
            if let Some(status) = child.try_wait().expect("the process can be asked") {
                let text = std::fs::read_to_string(&messages).unwrap_or_default();
                return Err(format!(
                    "the server ended before it was ready: {status}: {text}"
                ));
            }
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "the server did not get ready"
            );
            std::thread::yield_now();
        };
        Ok(Self {
            child,
            url: format!("http://{address}"),
        })
    }

    /// kill -9: no destructor, no flush.
    pub fn kill(&mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process can be reaped");
    }

    /// Stops the server; returns true if it exited successfully.
    pub fn terminate(&mut self) -> bool {
        let status = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success());
        self.child
            .wait()
            .expect("the process can be reaped")
            .success()
    }

    /// Sends a request with a JSON body; returns status and JSON.
    pub fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (status, answer, _) = self.send_with(method, path, body, &[]);
        (status, answer)
    }

    /// Sends a request with a JSON body and headers; returns status, JSON and headers.
    pub fn send_with(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> (u16, Value, BTreeMap<String, String>) {
        let url = format!("{}{path}", self.url);
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(url)
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_string()).expect("a valid request");
        let mut response = agent().run(request).expect("the server answers");
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let text = response.body_mut().read_to_string().expect("a body");
        let answer = serde_json::from_str(&text).unwrap_or(Value::Null);
        (status, answer, headers)
    }
}

/// An HTTP client that hands back error statuses instead of failing.
pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
