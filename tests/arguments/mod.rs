//! Arguments of a program and their meaning under the rules of equality: the model that keys are tested against, here
//! and in `fuzz/fuzz_targets/keys.rs`.

use std::collections::BTreeSet;

use phicache::key::{Element, KeyBuilder};

/// An argument of a program.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    None,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Bytes(Vec<u8>),
    String(String),
    Direction(u8),
    Nodes(u64),
    Tuple(Vec<Argument>),
    Set(Vec<Argument>),
    Doubles(Vec<f64>),
    Named(String, Box<Argument>),
}

/// An argument under the rules of equality: two arguments have the same key exactly if their meanings are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    None,
    Bool(bool),
    Integer(i128),
    Double(u64),
    Bytes(Vec<u8>),
    String(String),
    Direction(u8),
    Nodes(u64),
    Tuple(Vec<Meaning>),
    Set(BTreeSet<Meaning>),
    Doubles(Vec<u64>),
    Named(String, Box<Meaning>),
}

/// The meaning of an argument.
pub fn meaning(argument: &Argument, typed: bool) -> Meaning {
    let all = |items: &[Argument]| items.iter().map(|item| meaning(item, typed)).collect::<Vec<_>>();
    match argument {
        Argument::None => Meaning::None,
        Argument::Bool(value) if typed => Meaning::Bool(*value),
        Argument::Bool(value) => Meaning::Integer((*value).into()),
        Argument::Int(value) => Meaning::Integer((*value).into()),
        Argument::Uint(value) => Meaning::Integer((*value).into()),
        // Every i128 beyond 64 bits represents a double; the cast is exact for the others.
        Argument::Double(value)
            if !typed && value.fract() == 0.0 && *value >= i64::MIN as f64 && *value < u64::MAX as f64 =>
        {
            Meaning::Integer(*value as i128)
        }
        Argument::Double(value) => Meaning::Double(bits(*value)),
        Argument::Bytes(value) => Meaning::Bytes(value.clone()),
        Argument::String(value) => Meaning::String(value.clone()),
        Argument::Direction(value) => Meaning::Direction(*value),
        Argument::Nodes(value) => Meaning::Nodes(*value),
        Argument::Tuple(items) => Meaning::Tuple(all(items)),
        Argument::Set(items) => Meaning::Set(all(items).into_iter().collect()),
        Argument::Doubles(values) => Meaning::Doubles(values.iter().copied().map(bits).collect()),
        Argument::Named(name, item) => Meaning::Named(name.clone(), Box::new(meaning(item, typed))),
    }
}

/// There is one zero and one NaN.
fn bits(value: f64) -> u64 {
    match value {
        0.0 => 0,
        value if value.is_nan() => u64::MAX,
        value => value.to_bits(),
    }
}

/// Adds an argument that the builder accepts.
pub fn add(key: &mut KeyBuilder, argument: &Argument) {
    match argument {
        Argument::None => key.add(Element::None),
        Argument::Bool(value) => key.add(Element::Bool(*value)),
        Argument::Int(value) => key.add(Element::Int(*value)),
        Argument::Uint(value) => key.add(Element::Uint(*value)),
        Argument::Double(value) => key.add(Element::Double(*value)),
        Argument::Bytes(value) => key.add(Element::Bytes(value)),
        Argument::String(value) => key.add(Element::String(value)),
        Argument::Direction(value) => key.add(Element::Direction(*value)),
        Argument::Nodes(value) => key.add(Element::Nodes(*value)),
        Argument::Tuple(items) => {
            key.begin_tuple().unwrap();
            items.iter().for_each(|item| add(key, item));
            key.end_tuple()
        }
        Argument::Set(items) => {
            key.begin_set().unwrap();
            items.iter().for_each(|item| add(key, item));
            key.end_set()
        }
        Argument::Doubles(values) => key.add_doubles(values),
        Argument::Named(name, item) => {
            key.begin_named(name).unwrap();
            add(key, item);
            key.end_named()
        }
    }
    .unwrap();
}
