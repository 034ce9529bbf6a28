//! Test encoders that know three colors.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::sync::mpsc;
use vitrine::{EmbedError, Embedder, Embedding, ImageBytes};

/// Encoders that know three colors: each is an axis of a space of three.
pub struct Colors {
    fingerprint: &'static str,
    dims: BTreeMap<String, usize>,
    /// Signaled when the text `wait` is being embedded; embedding it then blocks until `go` is
    /// signaled.
    entered: mpsc::UnboundedSender<()>,
    go: Mutex<std::sync::mpsc::Receiver<()>>,
}

/// Control of the text `wait`: a signal that it is being embedded, and one that lets it finish.
pub type Waiting = (mpsc::UnboundedReceiver<()>, std::sync::mpsc::Sender<()>);

impl Colors {
    /// Returns the encoders and the control of the text `wait`.
    pub fn new() -> (Self, Waiting) {
        let (entered, told) = mpsc::unbounded_channel();
        let (go, wait) = std::sync::mpsc::channel();
        let dims = ["shared", "text"].map(|space| (space.to_owned(), 3));
        let colors = Self {
            fingerprint: "colors-1",
            dims: dims.into(),
            entered,
            go: Mutex::new(wait),
        };
        (colors, (told, go))
    }

    /// Returns other encoders, with reversed axes.
    pub fn find(fingerprint: &str) -> Option<Arc<dyn Embedder>> {
        let other = Self {
            fingerprint: "colors-2",
            ..Self::new().0
        };
        (fingerprint == other.fingerprint).then(|| Arc::new(other) as Arc<dyn Embedder>)
    }

    fn embed(&self, what: &str) -> Result<Embedding, EmbedError> {
        let vector: Vec<f32> = match what {
            "red" => vec![1.0, 0.0, 0.0],
            "green" => vec![0.0, 1.0, 0.0],
            "blue" => vec![0.0, 0.0, 1.0],
            "panic" => panic!("asked to"),
            "fail" => return Err(EmbedError::Model("broken".into())),
            "wait" => {
                self.entered.send(()).expect("the test lives");
                let wait = self.go.lock().expect("no other waiter failed");
                wait.recv().expect("the test lives");
                vec![1.0, 1.0, 1.0]
            }
            other => {
                let words = other.split_whitespace().map(str::to_lowercase);
                let mut others = words.filter(|word| word != other);
                if let Some(color) = others.find(|w| ["red", "green", "blue"].contains(&w.as_str()))
                {
                    return self.embed(&color);
                }
                return Err(EmbedError::Input(format!(
                    "expected a color, got `{other}`"
                )));
            }
        };
        let sign = if self.fingerprint == "colors-1" {
            1.0
        } else {
            -1.0
        };
        let vector: Vec<f32> = vector.into_iter().map(|x| x * sign).collect();
        Ok(self
            .dims
            .keys()
            .map(|space| (space.clone(), vector.clone()))
            .collect())
    }
}

impl Embedder for Colors {
    fn embed_text(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
        texts.iter().map(|text| self.embed(text)).collect()
    }

    fn embed_query(&self, texts: &[&str]) -> Vec<Result<Embedding, EmbedError>> {
        self.embed_text(texts)
    }

    fn embed_image(&self, images: &[ImageBytes]) -> Vec<Result<Embedding, EmbedError>> {
        let name = |bytes| String::from_utf8_lossy(bytes).into_owned();
        images.iter().map(|i| self.embed(&name(i))).collect()
    }

    fn embed_behavior(&self, _: &str) -> Result<Option<(f32, Embedding)>, EmbedError> {
        Ok(None)
    }

    fn count_tokens(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn model_name(&self) -> &str {
        "colors"
    }

    fn fingerprint(&self) -> &str {
        self.fingerprint
    }

    fn dims(&self) -> &BTreeMap<String, usize> {
        &self.dims
    }
}
