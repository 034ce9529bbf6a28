//! Encoding of spans as an `ExportTraceServiceRequest` of OTLP 1 in Protocol Buffers.
//!
//! The dozen fields that this server has are written here: the crates that generate them need
//! `prost-derive`, whose features would compile RocksDB again.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::{
    Array, InstrumentationScope, KeyValue, Value,
    trace::{SpanId, SpanKind, Status},
};
use opentelemetry_sdk::{Resource, trace::SpanData};

/// Flags of a span besides those of the trace: it is known where its parent is, and that this is
/// another process.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Encodes spans of one resource.
pub fn request(resource: &Resource, spans: &[SpanData]) -> Vec<u8> {
    let mut request = Message::default();
    request.message(1, |resource_spans| {
        resource_spans.message(1, |message| {
            for (key, value) in resource {
                message.message(1, |pair| {
                    pair.text(1, key.as_str());
                    pair.message(2, |message| any_value(message, value));
                });
            }
        });
        // Spans of a scope follow each other: there is one tracer.
        for spans in spans.chunk_by(|a, b| a.instrumentation_scope == b.instrumentation_scope) {
            resource_spans.message(2, |scope_spans| {
                if let Some(first) = spans.first() {
                    scope_spans.message(1, |message| scope(message, &first.instrumentation_scope));
                }
                for one in spans {
                    scope_spans.message(2, |message| span(message, one));
                }
            });
        }
    });
    request.0
}

fn scope(message: &mut Message, scope: &InstrumentationScope) {
    message.text(1, scope.name());
    message.text(2, scope.version().unwrap_or_default());
}

fn span(message: &mut Message, span: &SpanData) {
    let context = &span.span_context;
    message.bytes(1, &context.trace_id().to_bytes());
    message.bytes(2, &context.span_id().to_bytes());
    message.text(3, &context.trace_state().header());
    if span.parent_span_id != SpanId::INVALID {
        message.bytes(4, &span.parent_span_id.to_bytes());
    }
    message.text(5, &span.name);
    let kind = match span.span_kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    };
    message.number(6, kind);
    message.fixed64(7, nanoseconds(span.start_time));
    message.fixed64(8, nanoseconds(span.end_time));
    for pair in &span.attributes {
        message.message(9, |message| key_value(message, pair));
    }
    message.number(10, span.dropped_attributes_count.into());
    match &span.status {
        Status::Unset => {}
        Status::Ok => message.message(15, |status| status.number(3, 1)),
        Status::Error { description } => message.message(15, |status| {
            status.text(2, description);
            status.number(3, 2);
        }),
    }
    let remote = if span.parent_span_is_remote {
        IS_REMOTE
    } else {
        0
    };
    let flags = u32::from(context.trace_flags().to_u8()) | HAS_IS_REMOTE | remote;
    message.fixed32(16, flags);
}

fn key_value(message: &mut Message, pair: &KeyValue) {
    message.text(1, pair.key.as_str());
    message.message(2, |message| any_value(message, &pair.value));
}

fn any_value(message: &mut Message, value: &Value) {
    match value {
        // A value of its type is written even if it is the default of the type.
        Value::String(text) => message.bytes(1, text.as_str().as_bytes()),
        Value::Bool(value) => message.required_number(2, u64::from(*value)),
        Value::I64(value) => message.required_number(3, value.cast_unsigned()),
        Value::F64(value) => message.fixed64(4, value.to_bits()),
        Value::Array(array) => message.message(5, |list| {
            let mut each = |value: Value| list.message(1, |message| any_value(message, &value));
            match array {
                Array::Bool(values) => values.iter().for_each(|v| each((*v).into())),
                Array::I64(values) => values.iter().for_each(|v| each((*v).into())),
                Array::F64(values) => values.iter().for_each(|v| each((*v).into())),
                Array::String(values) => values.iter().for_each(|v| each(v.clone().into())),
                _ => {}
            }
        }),
        _ => {}
    }
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Message in the wire format of Protocol Buffers.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 128 {
            self.0.push(value as u8 | 128);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn tag(&mut self, field: u32, wire_type: u32) {
        self.varint(u64::from(field << 3 | wire_type));
    }

    fn required_number(&mut self, field: u32, value: u64) {
        self.tag(field, 0);
        self.varint(value);
    }

    fn number(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.required_number(field, value);
        }
    }

    fn fixed64(&mut self, field: u32, value: u64) {
        self.tag(field, 1);
        self.0.extend(value.to_le_bytes());
    }

    fn fixed32(&mut self, field: u32, value: u32) {
        self.tag(field, 5);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
    }

    fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }
}
