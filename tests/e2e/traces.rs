//! Traces of a real server, at a collector of the test that decodes what it receives.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use serde_json::json;

use crate::harness::Server;

/// Message in the wire format of Protocol Buffers: the values of each field.
#[derive(Debug, Default)]
struct Message(BTreeMap<u64, Vec<Value>>);

#[derive(Debug)]
enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

impl Message {
    fn decode(mut bytes: &[u8]) -> Self {
        let mut message = Self::default();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let mut fixed = |width: usize| {
                let number = bytes.split_off(..width).expect("a whole number");
                let mut wide = [0; 8];
                wide[..width].copy_from_slice(number);
                Value::Number(u64::from_le_bytes(wide))
            };
            let value = match tag & 7 {
                1 => fixed(8),
                5 => fixed(4),
                0 => Value::Number(varint(&mut bytes)),
                2 => {
                    let length = varint(&mut bytes) as usize;
                    Value::Bytes(bytes.split_off(..length).expect("whole bytes").to_vec())
                }
                other => panic!("wire type {other}"),
            };
            message.0.entry(tag >> 3).or_default().push(value);
        }
        message
    }

    fn all(&self, field: u64) -> &[Value] {
        self.0.get(&field).map_or(&[], Vec::as_slice)
    }

    fn messages(&self, field: u64) -> Vec<Self> {
        let messages = self.all(field).iter().map(|value| match value {
            Value::Bytes(bytes) => Self::decode(bytes),
            Value::Number(number) => panic!("field {field}: {number}"),
        });
        messages.collect()
    }

    fn bytes(&self, field: u64) -> &[u8] {
        match self.all(field) {
            [Value::Bytes(bytes)] => bytes,
            [] => &[],
            other => panic!("field {field}: {other:?}"),
        }
    }

    fn text(&self, field: u64) -> String {
        String::from_utf8(self.bytes(field).to_vec()).expect("UTF-8")
    }

    fn hex(&self, field: u64) -> String {
        let digits = self.bytes(field).iter().map(|b| format!("{b:02x}"));
        digits.collect()
    }

    fn number(&self, field: u64) -> u64 {
        match self.all(field) {
            [Value::Number(number)] => *number,
            [] => 0,
            other => panic!("field {field}: {other:?}"),
        }
    }

    /// Texts and numbers of attributes, which are in this field.
    fn attributes(&self, field: u64) -> BTreeMap<String, String> {
        let pairs = self.messages(field).into_iter().map(|pair| {
            let value = &pair.messages(2)[0];
            let text = match value.all(3) {
                [Value::Number(number)] => number.to_string(),
                _ => value.text(1),
            };
            (pair.text(1), text)
        });
        pairs.collect()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.split_off_first().expect("a whole number");
        number |= u64::from(byte & 127) << shift;
        if *byte < 128 {
            break;
        }
    }
    number
}

/// Fields of a span.
const TRACE_ID: u64 = 1;
const SPAN_ID: u64 = 2;
const PARENT_ID: u64 = 4;
const NAME: u64 = 5;
const KIND: u64 = 6;
const START: u64 = 7;
const END: u64 = 8;
const ATTRIBUTES: u64 = 9;
const STATUS: u64 = 15;

/// A collector that accepts traces.
struct Collector {
    url: String,
    received: Receiver<(String, Message)>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (sender, received) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut reader = BufReader::new(stream.expect("a connection"));
                // Connections are used again for later batches.
                while let Some((head, body)) = request(&mut reader) {
                    let _ = sender.send((head, Message::decode(&body)));
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    reader.get_mut().write_all(answer).expect("an answer");
                }
            }
        });
        Self {
            url: format!("http://{address}"),
            received,
        }
    }

    /// Returns the spans that a server which has ended sent, the head of the last request, and the
    /// attributes of its resource.
    fn spans(&self) -> (Vec<Message>, String, BTreeMap<String, String>) {
        let (mut spans, mut last, mut resource) = (Vec::new(), String::new(), BTreeMap::new());
        while let Ok((head, traces)) = self.received.recv_timeout(WAIT) {
            last = head;
            for resource_spans in traces.messages(1) {
                resource = resource_spans.messages(1)[0].attributes(1);
                for scope in resource_spans.messages(2) {
                    assert_eq!(scope.messages(1)[0].text(1), "vitrine");
                    spans.extend(scope.messages(2));
                }
            }
        }
        (spans, last, resource)
    }
}

/// Time after which no more traces of a server that has ended are expected.
const WAIT: Duration = Duration::from_millis(200);

/// Reads a request; None at the end of a connection.
fn request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        if head[before..].trim().is_empty() {
            break;
        }
    }
    let lower = head.to_ascii_lowercase();
    let length = lower
        .lines()
        .find_map(|l| l.strip_prefix("content-length: "));
    let mut body = vec![0; length?.trim().parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((lower, body))
}

fn serve(data: &Path, endpoint: &str, ratio: &str) -> Server {
    Server::with_variables(
        data,
        &[
            ("VITRINE_SERVER__TELEMETRY__OTLP_ENDPOINT", endpoint),
            ("VITRINE_SERVER__TELEMETRY__SAMPLE_RATIO", ratio),
            ("VITRINE_SERVER__TELEMETRY__SERVICE_NAME", "shop-search"),
            // Log lines and spans have filters of their own.
            ("VITRINE_SERVER__LOG__LEVEL", "warn"),
        ],
    )
}

fn fill(server: &Server) {
    let config = json!({"vectors": {"shared": {"dim": 2}}});
    let (status, answer) = server.send("PUT", "/v1/collections/shop", &config);
    assert!(status < 300, "{answer}");
    let items = json!([{"id": "a", "title": "red shoes", "vectors": {"shared": [1, 0]}}]);
    let (status, answer) = server.send("PUT", "/v1/collections/shop/items", &items);
    assert_eq!(status, 200, "{answer}");
}

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn a_request_and_its_stages_are_spans_of_the_callers_trace() {
    let collector = Collector::start();
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut server = serve(&folder.path().join("data"), &collector.url, "0");
    fill(&server);
    let search = json!({"query": {"vector": [1, 0]}, "lexical": {"text": "shoes"}});
    let headers = [("traceparent", PARENT), ("x-request-id", "request-7")];
    let path = "/v1/collections/shop/search";
    let (status, answer, _) = server.send_with("POST", path, &search, &headers);
    assert_eq!(status, 200, "{answer}");
    let (status, ..) = server.send_with("GET", "/v1/collections/none", &json!({}), &headers);
    assert_eq!(status, 404);
    // Flushed although the batch is not full and its time has not come.
    assert!(server.terminate());
    let (spans, head, resource) = collector.spans();
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(
        head.contains("content-type: application/x-protobuf"),
        "{head}"
    );
    assert_eq!(resource["service.name"], "shop-search");

    // A ratio of 0 leaves the requests that came without a trace out.
    assert!(spans.iter().all(|span| span.hex(TRACE_ID) == PARENT[3..35]));
    let named = |name: &str| {
        let found = spans.iter().find(|span| span.text(NAME) == name);
        found.unwrap_or_else(|| panic!("no span {name} in {spans:?}"))
    };
    let request = named("POST /v1/collections/{c}/search");
    assert_eq!(request.hex(PARENT_ID), PARENT[36..52]);
    assert_eq!(request.number(KIND), 2, "of a server");
    let facts = request.attributes(ATTRIBUTES);
    assert_eq!(facts["http.request.method"], "POST");
    assert_eq!(facts["http.route"], "/v1/collections/{c}/search");
    assert_eq!(facts["http.response.status_code"], "200");
    assert_eq!(facts["vitrine.request_id"], "request-7");
    let search = named("search");
    assert_eq!(search.hex(PARENT_ID), request.hex(SPAN_ID));
    assert_eq!(search.attributes(ATTRIBUTES)["collection"], "shop");
    assert!(search.number(START) >= request.number(START));
    assert!(search.number(END) <= request.number(END));
    for stage in ["filter", "vectors", "lexical", "rank", "hits"] {
        assert_eq!(named(stage).hex(PARENT_ID), search.hex(SPAN_ID), "{stage}");
    }
    let missing = named("GET /v1/collections/{c}");
    assert_eq!(
        missing.attributes(ATTRIBUTES)["http.response.status_code"],
        "404"
    );
    assert!(
        missing.messages(STATUS).is_empty(),
        "an error of the caller"
    );
}

#[test]
fn a_collector_that_does_not_answer_costs_spans_and_no_requests() {
    // A port that nothing listens to any more.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut server = serve(&folder.path().join("data"), &url, "1");
    fill(&server);
    let search = json!({"query": {"vector": [1, 0]}});
    let path = "/v1/collections/shop/search";
    let mut dropped = 0.0;
    // A batch is sent when it is full, or after two seconds.
    for _ in 0..600 {
        assert_eq!(server.send("POST", path, &search).0, 200);
        let metrics = crate::harness::agent()
            .get(format!("{}/metrics", server.url))
            .call();
        let text = metrics
            .expect("metrics")
            .body_mut()
            .read_to_string()
            .expect("text");
        let name = "vitrine_trace_spans_total{outcome=\"dropped\"} ";
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        dropped = line.expect("the metric").parse::<f64>().expect("a number");
        if dropped > 0.0 {
            break;
        }
    }
    assert!(dropped > 0.0, "spans were counted");
    assert!(
        server.terminate(),
        "the end does not wait for the collector for long"
    );
}
