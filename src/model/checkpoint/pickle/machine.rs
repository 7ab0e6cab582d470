//! The machine of pickle: a stack, a memory of values for later, and the instructions that make plain data.

use super::{
    super::{Failure, Reason},
    global::{Global, refused},
    heap::{At, Heap, Node, Storage},
    input::Input,
};
use std::{collections::HashMap, io::Read};

/// The latest protocol that there is.
const LATEST_PROTOCOL: u8 = 5;

/// Values that lie on the stack, or are remembered, at a time.
const MOST_REFERENCES: usize = 1 << 20;

/// Parts that all lists and dictionaries have together, a key and its value being two: a value may be part of many.
const MOST_PARTS: usize = 1 << 21;

pub(super) struct Machine<'a, R> {
    input: &'a mut Input<R>,
    heap: Heap,
    stack: Vec<At>,
    /// Where the stack began when something of several parts was begun.
    marks: Vec<usize>,
    memory: HashMap<u32, At>,
    /// Parts that lists and dictionaries have so far.
    n_parts: usize,
}

impl<'a, R: Read> Machine<'a, R> {
    pub(super) fn new(input: &'a mut Input<R>) -> Self {
        Self {
            input,
            heap: Heap::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memory: HashMap::new(),
            n_parts: 0,
        }
    }

    /// Runs the program to its end.
    pub(super) fn run(mut self) -> Result<Heap, Failure> {
        loop {
            match self.input.byte()? {
                b'.' => {
                    let root = self.pop()?;
                    return Ok(self.heap.with_root(root));
                }
                instruction => self.step(instruction)?,
            }
        }
    }

    fn step(&mut self, instruction: u8) -> Result<(), Failure> {
        match instruction {
            // The protocol, and how long what follows is.
            0x80 => self.protocol(),
            0x95 => self.input.array::<8>().map(drop),
            // The stack.
            b'(' => {
                self.marks.push(self.stack.len());
                self.check_references(self.marks.len())
            }
            b'0' => self.pop().map(drop),
            b'1' => self.pop_to_mark().map(drop),
            b'2' => self.top().and_then(|top| self.push_at(top)),
            // The memory.
            b'q' | b'r' => self
                .place(instruction)
                .and_then(|place| self.remember(place)),
            b'h' | b'j' => self.place(instruction).and_then(|place| self.recall(place)),
            0x94 => self.remember(self.memory.len() as u32),
            // Plain values.
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'K' => self.int(|[byte]| byte.into()),
            b'M' => self.int(|bytes| u16::from_le_bytes(bytes).into()),
            b'J' => self.int(|bytes| i32::from_le_bytes(bytes).into()),
            0x8a | 0x8b => self.long(instruction),
            b'G' => {
                let number = f64::from_be_bytes(self.input.array()?);
                self.push(Node::Float(number))
            }
            b'X' | 0x8c | 0x8d | b'U' | b'T' => self.text(instruction),
            b'B' | b'C' | 0x8e | 0x96 => {
                let n = self.length(instruction)?;
                self.input.bytes(n)?;
                self.push(Node::Bytes)
            }
            // Containers.
            b')' => self.push(Node::Tuple(Vec::new())),
            0x85..=0x87 => self.short_tuple(instruction - 0x84),
            b't' => self.push_parts(Node::Tuple),
            b']' => self.push(Node::List(Vec::new())),
            b'l' => self.push_parts(Node::List),
            0x8f => self.push(Node::Set(Vec::new())),
            0x91 => self.push_parts(Node::Set),
            b'}' => self.push(Node::Dict(Vec::new())),
            b'd' => {
                let parts = self.pop_to_mark()?;
                self.push(Node::Dict(Vec::new()))?;
                self.add_entries(&parts)
            }
            b'a' => self.pop().and_then(|part| self.add_parts(&[part])),
            b'e' | 0x90 => self.pop_to_mark().and_then(|parts| self.add_parts(&parts)),
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.add_entries(&[key, value])
            }
            b'u' => self
                .pop_to_mark()
                .and_then(|parts| self.add_entries(&parts)),
            // What is called or made.
            b'c' => {
                let (module, name) = (self.input.line()?, self.input.line()?);
                self.push(Node::Global(Global::find(&module, &name)?))
            }
            0x93 => self.global_of_texts(),
            b'R' | 0x81 => self.call(),
            b'b' => self.build(),
            b'Q' => self.storage(),
            _ => Err(self.unknown(instruction)),
        }
    }

    /// The failure of an instruction that plain data and tensors do not need. Those that name what they ask
    /// for are refused by it.
    fn unknown(&mut self, instruction: u8) -> Failure {
        let named = match instruction {
            b'i' => self.input.line().and_then(|module| {
                let name = self.input.line()?;
                Global::find(&module, &name).map(|_| None)
            }),
            0x82 => self.input.byte().map(|code| Some(u32::from(code))),
            0x83 => self
                .input
                .array()
                .map(|code| Some(u16::from_le_bytes(code).into())),
            0x84 => self
                .input
                .array()
                .map(|code| Some(u32::from_le_bytes(code))),
            _ => Ok(None),
        };
        match named {
            Err(failure) => failure,
            Ok(Some(code)) => refused(&format!("copyreg's extension {code}")),
            Ok(None) => self.input.broken(&format!(
                "0x{instruction:02x} is no instruction by which PyTorch writes"
            )),
        }
    }

    fn protocol(&mut self) -> Result<(), Failure> {
        match self.input.byte()? {
            2..=LATEST_PROTOCOL => Ok(()),
            other => {
                Err(format!("its pickle has the protocol {other}, not one from 2 to 5").into())
            }
        }
    }

    fn push(&mut self, node: Node) -> Result<(), Failure> {
        let Some(at) = self.heap.add(node) else {
            return Err("its pickle has more than a million values".into());
        };
        self.push_at(at)
    }

    fn push_at(&mut self, at: At) -> Result<(), Failure> {
        self.stack.push(at);
        self.check_references(self.stack.len())
    }

    fn check_references(&self, n: usize) -> Result<(), Failure> {
        if n > MOST_REFERENCES {
            return Err("its pickle nests or remembers more than a million values".into());
        }
        Ok(())
    }

    /// The value on top of the stack.
    fn top(&self) -> Result<At, Failure> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let above = self.stack.get(floor..).unwrap_or_default();
        let lacks = || self.input.broken("a value is missing on the stack");
        above.last().copied().ok_or_else(lacks)
    }

    fn pop(&mut self) -> Result<At, Failure> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<At>, Failure> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => Err(self.input.broken("a mark is missing on the stack")),
        }
    }

    /// The place in the memory that stands behind an instruction.
    fn place(&mut self, instruction: u8) -> Result<u32, Failure> {
        match instruction {
            b'q' | b'h' => Ok(self.input.byte()?.into()),
            _ => Ok(u32::from_le_bytes(self.input.array()?)),
        }
    }

    fn remember(&mut self, place: u32) -> Result<(), Failure> {
        let top = self.top()?;
        self.memory.insert(place, top);
        self.check_references(self.memory.len())
    }

    fn recall(&mut self, place: u32) -> Result<(), Failure> {
        match self.memory.get(&place) {
            Some(&at) => self.push_at(at),
            None => Err(self.input.broken("it recalls what it does not remember")),
        }
    }

    /// The length that stands behind an instruction for bytes or texts.
    fn length(&mut self, instruction: u8) -> Result<u64, Failure> {
        Ok(match instruction {
            b'C' | b'U' | 0x8a | 0x8c => self.input.byte()?.into(),
            b'B' | b'T' | b'X' | 0x8b => u32::from_le_bytes(self.input.array()?).into(),
            _ => u64::from_le_bytes(self.input.array()?),
        })
    }

    fn text(&mut self, instruction: u8) -> Result<(), Failure> {
        let n = self.length(instruction)?;
        let bytes = self.input.bytes(n)?;
        self.push(match String::from_utf8(bytes) {
            Ok(text) => Node::Text(text.into()),
            // Python's texts may hold halves of characters, and those of Python 2 any bytes.
            Err(_) => Node::Bytes,
        })
    }

    fn int<const N: usize>(&mut self, number: fn([u8; N]) -> i64) -> Result<(), Failure> {
        let bytes = self.input.array()?;
        self.push(Node::Int(number(bytes)))
    }

    fn long(&mut self, instruction: u8) -> Result<(), Failure> {
        let n = self.length(instruction)?;
        let bytes = self.input.bytes(n)?;
        if bytes.len() > 8 {
            return self.push(Node::Long(bytes.into()));
        }
        let is_negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut number = [if is_negative { 0xff } else { 0 }; 8];
        number[..bytes.len()].copy_from_slice(&bytes);
        self.push(Node::Int(i64::from_le_bytes(number)))
    }

    fn push_parts(&mut self, node: fn(Vec<At>) -> Node) -> Result<(), Failure> {
        let parts = self.pop_to_mark()?;
        self.count_parts(parts.len())?;
        self.push(node(parts))
    }

    fn short_tuple(&mut self, n: u8) -> Result<(), Failure> {
        let mut parts = Vec::new();
        for _ in 0..n {
            parts.push(self.pop()?);
        }
        parts.reverse();
        self.push(Node::Tuple(parts))
    }

    fn count_parts(&mut self, n: usize) -> Result<(), Failure> {
        self.n_parts += n;
        if self.n_parts > MOST_PARTS {
            return Err(
                "its pickle has lists and dictionaries of more than two million parts".into(),
            );
        }
        Ok(())
    }

    /// Adds to the list or the set on top.
    fn add_parts(&mut self, parts: &[At]) -> Result<(), Failure> {
        self.count_parts(parts.len())?;
        let top = self.top()?;
        match self.heap.get_mut(top) {
            Node::List(list) | Node::Set(list) => {
                list.extend_from_slice(parts);
                Ok(())
            }
            _ => Err(self.input.broken("it adds to what is no list")),
        }
    }

    /// Adds keys and values, which follow each other, to the dictionary on top.
    fn add_entries(&mut self, parts: &[At]) -> Result<(), Failure> {
        self.count_parts(parts.len())?;
        let top = self.top()?;
        let (pairs, rest) = parts.as_chunks::<2>();
        match self.heap.get_mut(top) {
            Node::Dict(entries) if rest.is_empty() => {
                entries.extend(pairs.iter().map(|&[key, value]| (key, value)));
                Ok(())
            }
            _ => Err(self
                .input
                .broken("it adds entries to what is no dictionary")),
        }
    }

    fn global_of_texts(&mut self) -> Result<(), Failure> {
        let (name, module) = (self.pop()?, self.pop()?);
        match (self.heap.text(module), self.heap.text(name)) {
            (Some(module), Some(name)) => {
                let found = Global::find(module, name)?;
                self.push(Node::Global(found))
            }
            _ => Err(self.input.broken("a name is not a text")),
        }
    }

    /// Does what stands for a call of the function or the class below the top with the arguments on top.
    fn call(&mut self) -> Result<(), Failure> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let (Node::Global(callee), Node::Tuple(arguments)) =
            (self.heap.get(callee), self.heap.get(arguments))
        else {
            return Err(self.input.broken("it calls what is no function"));
        };
        let node = match (*callee, arguments.as_slice()) {
            (Global::Dictionary, []) => Some(Node::Dict(Vec::new())),
            (Global::Namespace, []) => Some(Node::Namespace(None)),
            (Global::Encode, [_, _]) => Some(Node::Bytes),
            (Global::Device, _) => Some(Node::Device),
            // What they are made of will do.
            (Global::Set | Global::Size, &[parts]) => return self.push_at(parts),
            (Global::Parameter, &[tensor, ..]) => return self.push_at(tensor),
            // Whether it needs a gradient and who is told of it does not matter. What would follow says that
            // its numbers are to be negated.
            (Global::Tensor, &[storage, offset, shape, strides, _, _]) => {
                let tensor = self.heap.tensor([storage, offset, shape, strides], None);
                tensor.map(Node::Tensor)
            }
            (Global::TensorOfBytes, &[storage, offset, shape, strides, _, _, format]) => {
                let Node::Global(Global::Format(format)) = *self.heap.get(format) else {
                    return Err(self.input.broken("the format of a number is none"));
                };
                let parts = [storage, offset, shape, strides];
                self.heap.tensor(parts, Some(format)).map(Node::Tensor)
            }
            _ => None,
        };
        match node {
            Some(node) => self.push(node),
            None => Err(self.input.broken(
                "it calls a function with arguments by which PyTorch makes no plain tensor",
            )),
        }
    }

    /// Gives the object below the top the attributes on top.
    fn build(&mut self) -> Result<(), Failure> {
        let attributes = self.pop()?;
        let top = self.top()?;
        let is_plain = self.heap.dict(attributes).is_some();
        match self.heap.get_mut(top) {
            Node::Namespace(own) if is_plain => *own = Some(attributes),
            // Dictionaries of tensors say of which version the modules were, which is nothing to us.
            Node::Dict(_) if is_plain => {}
            _ => {
                let what = "it gives attributes to what has none";
                return Err(self.input.broken(what));
            }
        }
        Ok(())
    }

    /// The storage that the tuple on top says where to find.
    fn storage(&mut self) -> Result<(), Failure> {
        let description = self.pop()?;
        let heap = &self.heap;
        let found = match heap.get(description) {
            Node::Tuple(parts) => match parts[..] {
                [kind, class, key, _, n_numbers] => Some((kind, class, key, n_numbers, None)),
                [kind, class, key, _, n_numbers, view] => {
                    Some((kind, class, key, n_numbers, Some(view)))
                }
                _ => None,
            },
            _ => None,
        };
        let storage = found.and_then(|(kind, class, key, n_numbers, view)| {
            let is_whole = view.is_none_or(|view| matches!(heap.get(view), Node::None));
            let is_storage = heap.text(kind).is_some_and(|kind| &**kind == "storage");
            match heap.get(class) {
                &Node::Global(Global::Storage(format, size)) if is_whole && is_storage => {
                    Some(Storage {
                        key: heap.text(key)?.clone(),
                        format,
                        size,
                        n_numbers: heap.count(n_numbers)?,
                    })
                }
                _ => None,
            }
        });
        match storage {
            Some(storage) => self.push(Node::Storage(storage)),
            None => {
                Err(Reason::from("it refers to something that is no storage of numbers").into())
            }
        }
    }
}
