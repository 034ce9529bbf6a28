//! A pickle machine for state dicts: a fixed set of bounds-checked operations that never execute
//! code of the file.
//!
//! Values are copied on write, so a container that changes after it was memoized keeps its old form
//! in the memo; state dicts do not read it again.

use std::collections::HashMap;
use std::rc::Rc;

use super::{Dtype, PthError, TensorRef};

/// Maximum nesting, which bounds recursion (also in `drop`).
const MAX_DEPTH: usize = 16;

/// A container with its nesting depth.
#[derive(Debug, Clone)]
pub struct Node<T> {
    pub items: Vec<T>,
    depth: usize,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            depth: 0,
        }
    }
}

#[derive(Debug, Clone)]
pub enum Value {
    None,
    Mark,
    Bool,
    Int(i64),
    Bytes(Rc<Vec<u8>>),
    Str(Rc<String>),
    Class(Rc<String>),
    Tuple(Rc<Node<Value>>),
    List(Rc<Node<Value>>),
    Dict(Rc<Node<(Value, Value)>>),
    Storage(Dtype, Rc<String>),
    Tensor(Rc<TensorRef>),
}

impl Value {
    fn depth(&self) -> usize {
        match self {
            Self::Tuple(n) | Self::List(n) => n.depth + 1,
            Self::Dict(n) => n.depth + 1,
            _ => 0,
        }
    }

    fn size(&self) -> Option<usize> {
        if let Self::Int(i) = self {
            usize::try_from(*i).ok()
        } else {
            None
        }
    }

    fn sizes(&self) -> Option<Vec<usize>> {
        if let Self::Tuple(t) = self {
            t.items.iter().map(Self::size).collect()
        } else {
            None
        }
    }
}

/// A read position in the file.
pub struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub fn error(&self, reason: impl Into<String>) -> PthError {
        PthError {
            offset: self.offset,
            reason: reason.into(),
        }
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], PthError> {
        let end = self
            .offset
            .checked_add(len)
            .filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| self.error("the file is truncated"))?;
        let taken = &self.bytes[self.offset..end];
        self.offset = end;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], PthError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    fn byte(&mut self) -> Result<u8, PthError> {
        Ok(self.array::<1>()?[0])
    }

    fn u32(&mut self) -> Result<usize, PthError> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn text(&mut self, len: usize) -> Result<Value, PthError> {
        let text =
            std::str::from_utf8(self.take(len)?).map_err(|_| self.error("text is not UTF-8"))?;
        Ok(Value::Str(Rc::new(text.to_owned())))
    }

    fn line(&mut self) -> Result<&'a str, PthError> {
        let len = self.bytes[self.offset..].iter().position(|&b| b == b'\n');
        let line = self.take(len.ok_or_else(|| self.error("the file is truncated"))?)?;
        self.byte()?;
        std::str::from_utf8(line).map_err(|_| self.error("a name is not UTF-8"))
    }

    /// Runs one pickle to its end.
    pub fn pickle(&mut self) -> Result<Value, PthError> {
        let mut stack: Vec<Value> = Vec::new();
        let mut memo: HashMap<usize, Value> = HashMap::new();
        loop {
            let op = self.byte()?;
            let value = match op {
                0x80 => {
                    self.byte()?;
                    continue;
                }
                b'.' => return self.pop(&mut stack),
                b'(' => Value::Mark,
                b'N' => Value::None,
                0x88 | 0x89 => Value::Bool,
                b'K' => Value::Int(i64::from(self.byte()?)),
                b'M' => Value::Int(i64::from(u16::from_le_bytes(self.array()?))),
                b'J' => Value::Int(i64::from(i32::from_le_bytes(self.array()?))),
                0x8a => {
                    let len = usize::from(self.byte()?);
                    self.long(len)?
                }
                b'X' => {
                    let len = self.u32()?;
                    self.text(len)?
                }
                b'U' => {
                    let len = usize::from(self.byte()?);
                    self.text(len)?
                }
                b'}' => Value::Dict(Rc::default()),
                b']' => Value::List(Rc::default()),
                b')' => Value::Tuple(Rc::default()),
                b't' => {
                    let items = self.to_mark(&mut stack)?;
                    self.tuple(items)?
                }
                0x85..=0x87 => {
                    let from = stack.len().checked_sub(usize::from(op - 0x84));
                    let items = stack.split_off(from.ok_or_else(|| self.error("empty stack"))?);
                    self.tuple(items)?
                }
                b'q' | b'r' => {
                    let slot = if op == b'q' {
                        usize::from(self.byte()?)
                    } else {
                        self.u32()?
                    };
                    let top = stack.last().ok_or_else(|| self.error("empty stack"))?;
                    memo.insert(slot, top.clone());
                    continue;
                }
                b'h' | b'j' => {
                    let slot = if op == b'h' {
                        usize::from(self.byte()?)
                    } else {
                        self.u32()?
                    };
                    memo.get(&slot)
                        .cloned()
                        .ok_or_else(|| self.error("missing memo entry"))?
                }
                b'c' => Value::Class(Rc::new(format!("{} {}", self.line()?, self.line()?))),
                b'R' => {
                    let (args, class) = (self.pop(&mut stack)?, self.pop(&mut stack)?);
                    self.reduce(&class, &args)?
                }
                b'Q' => {
                    let id = self.pop(&mut stack)?;
                    self.storage(&id)?
                }
                // Attributes of the state dict (`_metadata`) are not needed for tensors.
                b'b' => {
                    self.pop(&mut stack)?;
                    continue;
                }
                b's' | b'u' | b'a' | b'e' => {
                    let items = match op {
                        b's' => {
                            let (value, key) = (self.pop(&mut stack)?, self.pop(&mut stack)?);
                            vec![key, value]
                        }
                        b'a' => vec![self.pop(&mut stack)?],
                        _ => self.to_mark(&mut stack)?,
                    };
                    let target = self.pop(&mut stack)?;
                    self.extend(target, items)?
                }
                other => {
                    return Err(self.error(format!("pickle operation {other:#04x} is not allowed")));
                }
            };
            stack.push(value);
        }
    }

    fn pop(&self, stack: &mut Vec<Value>) -> Result<Value, PthError> {
        stack.pop().ok_or_else(|| self.error("empty stack"))
    }

    fn to_mark(&self, stack: &mut Vec<Value>) -> Result<Vec<Value>, PthError> {
        let mark = stack.iter().rposition(|v| matches!(v, Value::Mark));
        let items = stack.split_off(mark.ok_or_else(|| self.error("no mark"))?);
        Ok(items.into_iter().skip(1).collect())
    }

    fn long(&mut self, len: usize) -> Result<Value, PthError> {
        let raw = self.take(len)?;
        if len > 8 {
            return Ok(Value::Bytes(Rc::new(raw.to_vec())));
        }
        let negative = raw.last().is_some_and(|b| b & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide[..len].copy_from_slice(raw);
        Ok(Value::Int(i64::from_le_bytes(wide)))
    }

    fn deep(&self, items: &[Value], so_far: usize) -> Result<usize, PthError> {
        let depth = items
            .iter()
            .map(Value::depth)
            .max()
            .unwrap_or(0)
            .max(so_far);
        if depth >= MAX_DEPTH {
            Err(self.error("nested too deep"))
        } else {
            Ok(depth)
        }
    }

    fn tuple(&self, items: Vec<Value>) -> Result<Value, PthError> {
        let depth = self.deep(&items, 0)?;
        Ok(Value::Tuple(Rc::new(Node { items, depth })))
    }

    fn extend(&self, target: Value, items: Vec<Value>) -> Result<Value, PthError> {
        match target {
            Value::List(mut list) => {
                let depth = self.deep(&items, list.depth)?;
                let node = Rc::make_mut(&mut list);
                node.depth = depth;
                node.items.extend(items);
                Ok(Value::List(list))
            }
            Value::Dict(mut dict) if items.len().is_multiple_of(2) => {
                let depth = self.deep(&items, dict.depth)?;
                let node = Rc::make_mut(&mut dict);
                node.depth = depth;
                let mut items = items.into_iter();
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    node.items.push((key, value));
                }
                Ok(Value::Dict(dict))
            }
            _ => Err(self.error("items for something that holds none")),
        }
    }

    fn reduce(&self, class: &Value, args: &Value) -> Result<Value, PthError> {
        let (Value::Class(class), Value::Tuple(args)) = (class, args) else {
            return Err(self.error("a call of no class"));
        };
        match (class.as_str(), args.items.as_slice()) {
            ("collections OrderedDict", []) => Ok(Value::Dict(Rc::default())),
            ("torch._utils _rebuild_parameter", [tensor @ Value::Tensor(_), ..]) => {
                Ok(tensor.clone())
            }
            (
                "torch._utils _rebuild_tensor_v2",
                [Value::Storage(dtype, key), offset, shape, stride, ..],
            ) => {
                let (offset, shape, stride) = (offset.size(), shape.sizes(), stride.sizes());
                let (Some(offset), Some(shape), Some(stride)) = (offset, shape, stride) else {
                    return Err(self.error("a tensor of no shape"));
                };
                Ok(Value::Tensor(Rc::new(TensorRef {
                    dtype: *dtype,
                    key: key.to_string(),
                    offset,
                    shape,
                    stride,
                })))
            }
            (name, _) => Err(self.error(format!("class `{name}` is not allowed"))),
        }
    }

    /// A persistent id: `("storage", class, key, device, count, view)`.
    fn storage(&self, id: &Value) -> Result<Value, PthError> {
        if let Value::Tuple(id) = id
            && let [Value::Str(kind), Value::Class(class), Value::Str(key), ..] =
                id.items.as_slice()
            && kind.as_str() == "storage"
        {
            let dtype = Dtype::of(class)
                .ok_or_else(|| self.error(format!("storage `{class}` is not supported")))?;
            return Ok(Value::Storage(dtype, key.clone()));
        }
        Err(self.error("an unknown persistent id"))
    }
}
