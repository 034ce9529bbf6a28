//! Reader of torch's old `.pth` format (before 1.6): consecutive pickles, then raw storages; no
//! zip.
//!
//! Layout: pickle of the magic number, of the protocol (1001), of system facts, of the object (a
//! state dict whose tensors name their storage by persistent id), of the list of storage keys; then
//! for each key an `i64` element count and the elements, little endian. The pickle machine knows
//! only what a state dict needs: nothing of the file is executed, and any other class is refused.

mod pickle;

use std::collections::{BTreeMap, HashMap};

use pickle::{Cursor, Value};

const MAGIC: &[u8] = &[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// An error when a `.pth` file is read.
#[derive(Debug, thiserror::Error)]
#[error("not a readable .pth state dict at byte {offset}: {reason}")]
pub struct PthError {
    /// Offset in the file.
    pub offset: usize,
    /// Description of the problem.
    pub reason: String,
}

/// A tensor of floats.
#[derive(Debug, Clone, PartialEq)]
pub struct PthTensor {
    /// Sizes by dimension.
    pub shape: Vec<usize>,
    /// Values, row major.
    pub data: Vec<f32>,
}

/// Location of a tensor in a storage.
#[derive(Debug, PartialEq)]
struct TensorRef {
    dtype: Dtype,
    key: String,
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dtype {
    F16,
    F32,
    F64,
    Int(usize),
}

impl Dtype {
    fn of(class: &str) -> Option<Self> {
        Some(match class {
            "torch HalfStorage" => Self::F16,
            "torch FloatStorage" => Self::F32,
            "torch DoubleStorage" => Self::F64,
            "torch LongStorage" => Self::Int(8),
            "torch IntStorage" => Self::Int(4),
            "torch ShortStorage" => Self::Int(2),
            "torch ByteStorage" | "torch CharStorage" | "torch BoolStorage" => Self::Int(1),
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Int(n) => n,
        }
    }
}

/// Reads the float tensors of a state dict by name; integer tensors (batch counters) are skipped.
///
/// # Errors
/// The file has another format, is damaged, or uses a class that is not needed for tensors.
pub fn read(bytes: &[u8]) -> Result<BTreeMap<String, PthTensor>, PthError> {
    let mut cursor = Cursor::new(bytes);
    if bytes.starts_with(b"PK") {
        return Err(cursor.error("expected the old .pth format, got the zip format"));
    }
    match cursor.pickle()? {
        Value::Bytes(magic) if magic.as_slice() == MAGIC => {}
        _ => return Err(cursor.error("no torch magic number")),
    }
    if !matches!(cursor.pickle()?, Value::Int(1001)) {
        return Err(cursor.error("unknown protocol version"));
    }
    cursor.pickle()?;
    let object = cursor.pickle()?;
    let keys = cursor.pickle()?;
    let Value::Dict(state) = object else {
        return Err(cursor.error("the object is not a state dict"));
    };
    let mut refs = Vec::new();
    let mut sizes: HashMap<&str, Dtype> = HashMap::new();
    for (name, value) in &state.items {
        if let (Value::Str(name), Value::Tensor(tensor)) = (name, value) {
            sizes.insert(&tensor.key, tensor.dtype);
            refs.push((name, tensor));
        }
    }
    let Value::List(keys) = keys else {
        return Err(cursor.error("no list of storage keys"));
    };
    let mut storages: HashMap<&str, &[u8]> = HashMap::new();
    for key in &keys.items {
        let Value::Str(key) = key else {
            return Err(cursor.error("a storage key is not text"));
        };
        let dtype = *sizes
            .get(key.as_str())
            .ok_or_else(|| cursor.error("a storage that no tensor names"))?;
        let count = usize::try_from(i64::from_le_bytes(cursor.array()?)).ok();
        let len = count.and_then(|n| n.checked_mul(dtype.size()));
        let len = len.ok_or_else(|| cursor.error("storage size out of range"))?;
        storages.insert(key, cursor.take(len)?);
    }
    let mut out = BTreeMap::new();
    for (name, tensor) in refs {
        if matches!(tensor.dtype, Dtype::Int(_)) {
            continue;
        }
        let storage = storages.get(tensor.key.as_str());
        let data = storage.and_then(|s| gather(tensor, s));
        let data =
            data.ok_or_else(|| cursor.error(format!("tensor `{name}` is outside of its storage")))?;
        out.insert(
            name.to_string(),
            PthTensor {
                shape: tensor.shape.clone(),
                data,
            },
        );
    }
    Ok(out)
}

/// Returns the values of a tensor by its strides; `None` if any is outside of `storage`.
fn gather(tensor: &TensorRef, storage: &[u8]) -> Option<Vec<f32>> {
    let total = tensor
        .shape
        .iter()
        .try_fold(1usize, |a, &b| a.checked_mul(b))?;
    let size = tensor.dtype.size();
    // An expanded tensor (stride 0) may be larger than its storage, but not in a state dict.
    if total > storage.len() / size || tensor.shape.len() != tensor.stride.len() {
        return None;
    }
    let mut data = Vec::with_capacity(total);
    let mut index = vec![0usize; tensor.shape.len()];
    for _ in 0..total {
        let element = index
            .iter()
            .zip(&tensor.stride)
            .try_fold(tensor.offset, |sum, (&i, &s)| {
                sum.checked_add(i.checked_mul(s)?)
            })?;
        let start = element.checked_mul(size)?;
        let raw = storage.get(start..start.checked_add(size)?)?;
        data.push(match tensor.dtype {
            Dtype::F16 => candle_core::Tensor::from_raw_buffer(
                raw,
                candle_core::DType::F16,
                &[],
                &candle_core::Device::Cpu,
            )
            .and_then(|t| t.to_dtype(candle_core::DType::F32)?.to_scalar())
            .ok()?,
            Dtype::F32 => f32::from_le_bytes(raw.try_into().ok()?),
            Dtype::F64 => f64::from_le_bytes(raw.try_into().ok()?) as f32,
            Dtype::Int(_) => return None,
        });
        for (i, &len) in index.iter_mut().zip(&tensor.shape).rev() {
            *i += 1;
            if *i < len {
                break;
            }
            *i = 0;
        }
    }
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the output of `torch.save({"w": tensor([[1., 2.], [3., 4.]])},
    /// _use_new_zipfile_serialization=False)`, with other strides.
    fn sample() -> Vec<u8> {
        let mut f = [
            &b"\x80\x02\x8a\x0a"[..],
            MAGIC,
            b".\x80\x02M\xe9\x03.\x80\x02}.",
        ]
        .concat();
        f.extend(b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n");
        f.extend(b"X\x01\0\0\x000X\x03\0\0\0cpuK\x04NtQK\0K\x02K\x02\x86K\x01K\x02\x86\x89}tRs.");
        f.extend(b"\x80\x02](X\x01\0\0\x000e.\x04\0\0\0\0\0\0\0");
        [1f32, 2.0, 3.0, 4.0]
            .iter()
            .for_each(|v| f.extend(v.to_le_bytes()));
        f
    }

    #[test]
    fn reads_strided_tensors() {
        let tensors = read(&sample()).expect("reads");
        assert_eq!(
            tensors["w"],
            PthTensor {
                shape: vec![2, 2],
                data: vec![1.0, 3.0, 2.0, 4.0]
            }
        );
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let whole = sample();
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..whole.len() {
            for value in [0u8, 0x28, 0x7f, 0x85, 0xff] {
                let mut bad = whole.clone();
                bad[at] = value;
                drop(read(&bad));
            }
        }
    }

    #[test]
    fn other_classes_are_refused() {
        let mut f = [
            &b"\x80\x02\x8a\x0a"[..],
            MAGIC,
            b".\x80\x02M\xe9\x03.\x80\x02}.",
        ]
        .concat();
        f.extend(b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.");
        assert!(
            read(&f)
                .expect_err("refused")
                .to_string()
                .contains("os system")
        );
    }
}
