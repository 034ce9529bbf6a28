//! The format: versions and the name of the network, variables with shape and type, and second
//! names of variables. Integers are little-endian; texts have their length before and a zero after
//! them.

use std::collections::BTreeMap;

use half::f16;

use super::{FormatError, Reader};

const VERSION: u32 = 6;
const SPEC: &str = "WhisperSpec";

/// Code of f32 and of f16.
const F32: u8 = 0;
const F16: u8 = 4;

/// Maximum number of dimensions.
const MAX_RANK: u8 = 8;

/// A parsed file.
#[derive(Debug)]
pub struct File<'a> {
    variables: BTreeMap<&'a str, Variable<'a>>,
}

/// A stored array.
#[derive(Debug, Clone)]
pub struct Variable<'a> {
    pub shape: Vec<usize>,
    kind: u8,
    data: &'a [u8],
}

impl<'a> File<'a> {
    /// Parses a file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u32()?;
        if version != VERSION {
            let reason = format!("expected version {VERSION}, got {version}");
            return Err(FormatError(reason));
        }
        let spec = text(&mut reader)?;
        if spec != SPEC {
            return Err(FormatError(format!("expected {SPEC}, got {spec}")));
        }
        let _revision = reader.u32()?;
        let mut variables = BTreeMap::new();
        for _ in 0..reader.u32()? {
            variables.insert(text(&mut reader)?, variable(&mut reader)?);
        }
        for _ in 0..reader.u32()? {
            let (name, of) = (text(&mut reader)?, text(&mut reader)?);
            let missing = || FormatError(format!("`{name}` is another name of `{of}`, not found"));
            let variable = variables.get(of).cloned().ok_or_else(missing)?;
            variables.insert(name, variable);
        }
        Ok(Self { variables })
    }

    /// Returns true if there is a variable of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// Returns a variable.
    pub fn variable(&self, name: &str) -> Result<&Variable<'a>, FormatError> {
        let missing = || FormatError(format!("variable `{name}` is missing"));
        self.variables.get(name).ok_or_else(missing)
    }
}

impl Variable<'_> {
    /// Returns the values as f16.
    pub fn halves(&self) -> Result<Vec<f16>, FormatError> {
        let values: Vec<f16> = match self.kind {
            F16 => (self.data.chunks_exact(2))
                .map(|b| f16::from_le_bytes([b[0], b[1]]))
                .collect(),
            F32 => (self.data.chunks_exact(4))
                .map(|b| f16::from_f32(f32::from_le_bytes([b[0], b[1], b[2], b[3]])))
                .collect(),
            kind => {
                let reason = format!("expected weights of type {F32} or {F16}, got {kind}");
                return Err(FormatError(reason));
            }
        };
        let expected: usize = self.shape.iter().product();
        if values.len() == expected {
            return Ok(values);
        }
        let reason = format!("expected {expected} values, got {}", values.len());
        Err(FormatError(reason))
    }
}

fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, FormatError> {
    let length = u16::from_le_bytes(reader.array()?);
    let text = std::str::from_utf8(reader.take(length.into())?);
    let text = text.map_err(|e| FormatError(format!("a name is not UTF-8: {e}")))?;
    Ok(text.strip_suffix('\0').unwrap_or(text))
}

fn variable<'a>(reader: &mut Reader<'a>) -> Result<Variable<'a>, FormatError> {
    let [rank] = reader.array()?;
    if rank > MAX_RANK {
        let reason = format!("expected up to {MAX_RANK} dimensions, got {rank}");
        return Err(FormatError(reason));
    }
    let dimension = |_| reader.u32().map(|n| n as usize);
    let shape: Vec<usize> = (0..rank).map(dimension).collect::<Result<_, _>>()?;
    let values = (shape.iter()).try_fold(1usize, |product, n| product.checked_mul(*n));
    if values.is_none() {
        return Err(FormatError(format!(
            "expected a smaller shape, got {shape:?}"
        )));
    }
    let [kind] = reader.array()?;
    let bytes = reader.u32()? as usize;
    Ok(Variable {
        shape,
        kind,
        data: reader.take(bytes)?,
    })
}
