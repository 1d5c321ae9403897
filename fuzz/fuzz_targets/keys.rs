//! Argument lists. For any additions in any order, the builder accepts exactly the legal ones, and its key equals
//! that of a second encoder, written from `docs/keys.md`, for the same meaning. The decoder below reads the key back
//! to the same meaning. So equal arguments have equal keys, and different ones have different keys.
#![no_main]

#[path = "../../tests/arguments/mod.rs"]
mod arguments;

use std::collections::{BTreeMap, BTreeSet};

use arguments::{Argument, Meaning, add, meaning};
use libfuzzer_sys::fuzz_target;
use phicache::key::KeyBuilder;
use phicache_fuzz::Input;

const DEPTH_MAX: usize = 64;

/// A container that is still open.
#[derive(Clone, PartialEq)]
enum Open {
    Tuple,
    Set,
    Named(String),
}

/// The model: what the builder should contain.
#[derive(Default)]
struct List {
    positional: Vec<Argument>,
    named: Vec<(String, Argument)>,
    /// The name of the next argument, or of the outermost open container.
    name: Option<String>,
    open: Vec<(Open, Vec<Argument>)>,
}

impl List {
    fn takes_an_argument(&self) -> bool {
        match self.open.last() {
            Some((Open::Named(_), items)) => items.is_empty(),
            Some(_) => true,
            None => self.name.is_some() || self.named.is_empty(),
        }
    }

    fn push(&mut self, argument: Argument) {
        match (self.open.last_mut(), self.name.take()) {
            (Some((_, items)), name) => {
                items.push(argument);
                self.name = name;
            }
            (None, Some(name)) => self.named.push((name, argument)),
            (None, None) => self.positional.push(argument),
        }
    }

    fn takes_a_name(&self, name: &str) -> bool {
        self.open.is_empty() && self.name.is_none() && self.named.iter().all(|(known, _)| known != name)
    }

    fn is_whole(&self) -> bool {
        self.open.is_empty() && self.name.is_none()
    }
}

type Meanings = (Vec<Meaning>, BTreeMap<String, Meaning>);

fn sized(key: &mut Vec<u8>, tag: u8, len: usize) {
    key.push(tag);
    key.extend_from_slice(&u32::try_from(len).unwrap().to_le_bytes());
}

fn tagged(key: &mut Vec<u8>, tag: u8, number: u64) {
    key.push(tag);
    key.extend_from_slice(&number.to_le_bytes());
}

fn encode(key: &mut Vec<u8>, meaning: &Meaning) {
    match meaning {
        Meaning::None => key.push(0),
        Meaning::Bool(value) => key.push(1 + u8::from(*value)),
        Meaning::Integer(value) => match i64::try_from(*value) {
            Ok(value) => tagged(key, 3, value as u64),
            Err(_) => tagged(key, 4, u64::try_from(*value).unwrap()),
        },
        Meaning::Double(u64::MAX) => tagged(key, 5, 0x7FF8_0000_0000_0000),
        Meaning::Double(bits) => tagged(key, 5, *bits),
        Meaning::Bytes(value) => {
            sized(key, 6, value.len());
            key.extend_from_slice(value);
        }
        Meaning::String(value) => {
            sized(key, 7, value.len());
            key.extend_from_slice(value.as_bytes());
        }
        Meaning::Direction(value) => key.extend_from_slice(&[8, *value]),
        Meaning::Nodes(mask) => tagged(key, 9, *mask),
        Meaning::Tuple(items) => {
            sized(key, 10, items.len());
            items.iter().for_each(|item| encode(key, item));
        }
        Meaning::Set(items) => {
            let items: BTreeSet<Vec<u8>> = items.iter().map(encoded).collect();
            sized(key, 11, items.len());
            items.iter().for_each(|item| key.extend_from_slice(item));
        }
        Meaning::Doubles(values) => {
            sized(key, 13, values.len());
            for bits in values {
                let bits = if *bits == u64::MAX { 0x7FF8_0000_0000_0000 } else { *bits };
                key.extend_from_slice(&bits.to_le_bytes());
            }
        }
        Meaning::Named(name, item) => {
            sized(key, 14, name.len());
            key.extend_from_slice(name.as_bytes());
            encode(key, item);
        }
    }
}

fn encoded(meaning: &Meaning) -> Vec<u8> {
    let mut key = Vec::new();
    encode(&mut key, meaning);
    key
}

fn key_of(typed: bool, (positional, named): &Meanings) -> Vec<u8> {
    let mut key = vec![if typed { 0xE1 } else { 0xA1 }];
    positional.iter().for_each(|argument| encode(&mut key, argument));
    for (name, argument) in named {
        sized(&mut key, 12, name.len());
        key.extend_from_slice(name.as_bytes());
        encode(&mut key, argument);
    }
    key
}

fn take<'k>(key: &mut &'k [u8], len: usize) -> &'k [u8] {
    let (taken, left) = key.split_at(len);
    *key = left;
    taken
}

fn take_number(key: &mut &[u8]) -> u64 {
    u64::from_le_bytes(take(key, 8).try_into().unwrap())
}

/// The bits of a double in canonical form.
fn take_bits(key: &mut &[u8]) -> u64 {
    match take_number(key) {
        0x7FF8_0000_0000_0000 => u64::MAX,
        bits => bits,
    }
}

fn take_len(key: &mut &[u8]) -> usize {
    u32::from_le_bytes(take(key, 4).try_into().unwrap()) as usize
}

fn take_text(key: &mut &[u8]) -> String {
    let len = take_len(key);
    String::from_utf8(take(key, len).to_vec()).unwrap()
}

fn decode(key: &mut &[u8]) -> Meaning {
    let items = |key: &mut &[u8]| (0..take_len(key)).map(|_| decode(key)).collect::<Vec<_>>();
    match take(key, 1)[0] {
        0 => Meaning::None,
        tag @ (1 | 2) => Meaning::Bool(tag == 2),
        3 => Meaning::Integer((take_number(key) as i64).into()),
        4 => Meaning::Integer(take_number(key).into()),
        5 => Meaning::Double(take_bits(key)),
        6 => {
            let len = take_len(key);
            Meaning::Bytes(take(key, len).to_vec())
        }
        7 => Meaning::String(take_text(key)),
        8 => Meaning::Direction(take(key, 1)[0]),
        9 => Meaning::Nodes(take_number(key)),
        10 => Meaning::Tuple(items(key)),
        11 => Meaning::Set(items(key).into_iter().collect()),
        13 => Meaning::Doubles((0..take_len(key)).map(|_| take_bits(key)).collect()),
        14 => {
            let name = take_text(key);
            Meaning::Named(name, Box::new(decode(key)))
        }
        other => panic!("tag {other:02x} inside a key"),
    }
}

fn read_back(mut key: &[u8]) -> Meanings {
    let (mut positional, mut named) = (Vec::new(), BTreeMap::new());
    take(&mut key, 1);
    while !key.is_empty() {
        if key[0] == 12 {
            take(&mut key, 1);
            let name = take_text(&mut key);
            assert!(named.insert(name, decode(&mut key)).is_none(), "a name occurs twice");
        } else {
            assert!(named.is_empty(), "a positional argument after a keyword argument");
            positional.push(decode(&mut key));
        }
    }
    (positional, named)
}

/// The fast path makes the same key or none, and it makes every key of arguments without names.
fn check_quick(builder: &mut KeyBuilder, typed: bool, list: &List, prefix: Option<&str>, key: Option<&[u8]>) {
    let quick = match prefix {
        None => builder.try_fast_key(typed).map(<[u8]>::to_vec),
        Some(prefix) => {
            let head = KeyBuilder::new().key_with_prefix(typed, Some(prefix)).unwrap().to_vec();
            builder.try_fast_key_behind(typed, &head).map(<[u8]>::to_vec)
        }
    };
    match quick {
        Some(quick) => assert_eq!(Some(&quick[..]), key),
        None => assert!(key.is_none() || !list.named.is_empty()),
    }
}

fn check(builder: &mut KeyBuilder, list: &List, prefix: Option<&str>) {
    for typed in [false, true] {
        let key = match prefix {
            None => builder.key(typed).map(<[u8]>::to_vec),
            Some(prefix) => builder.key_with_prefix(typed, Some(prefix)).map(<[u8]>::to_vec),
        };
        assert_eq!(key.is_ok(), list.is_whole());
        check_quick(builder, typed, list, prefix, key.as_deref().ok());
        let Ok(key) = key else { continue };
        let front = prefix.map(|prefix| Meaning::String(prefix.to_owned()));
        let arguments = list.positional.iter().map(|argument| meaning(argument, typed));
        let named = list.named.iter().map(|(name, argument)| (name.clone(), meaning(argument, typed)));
        let meanings = (front.into_iter().chain(arguments).collect(), named.collect());
        assert_eq!(key, key_of(typed, &meanings));
        assert_eq!(read_back(&key), meanings);
    }
}

fn leaf(input: &mut Input) -> Argument {
    match input.below(11) {
        0 => Argument::None,
        1 => Argument::Bool(input.flag()),
        2 => Argument::Int(input.number() as i64),
        3 => Argument::Uint(input.number()),
        4 => Argument::Double(input.number() as f64),
        5 => Argument::Double(-(input.number() as f64) / 2.0),
        6 => Argument::Double(f64::from_bits(input.number())),
        7 => {
            let len = input.below(12).into();
            Argument::Bytes(input.bytes(len).to_vec())
        }
        8 => {
            let len = input.below(12).into();
            Argument::String(input.text(len))
        }
        9 => Argument::Doubles((0..input.below(5)).map(|_| f64::from_bits(input.number())).collect()),
        _ => match input.below(2) {
            0 => Argument::Direction(input.below(3)),
            _ => Argument::Nodes(input.number()),
        },
    }
}

fn open(input: &mut Input) -> Open {
    match input.below(3) {
        0 => Open::Tuple,
        1 => Open::Set,
        _ => {
            let len = input.below(6).into();
            Open::Named(input.text(len))
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let (mut builder, mut list) = (KeyBuilder::new(), List::default());
    while !input.is_empty() {
        match input.below(12) {
            0..=4 => {
                let argument = leaf(&mut input);
                if list.takes_an_argument() {
                    add(&mut builder, &argument);
                    list.push(argument);
                } else {
                    assert!(builder.add(phicache::key::Element::None).is_err());
                }
            }
            5 | 6 => {
                let open = open(&mut input);
                let begun = match &open {
                    Open::Tuple => builder.begin_tuple(),
                    Open::Set => builder.begin_set(),
                    Open::Named(name) => builder.begin_named(name),
                };
                let legal = list.takes_an_argument() && list.open.len() < DEPTH_MAX;
                assert_eq!(begun.is_ok(), legal);
                if legal {
                    list.open.push((open, Vec::new()));
                }
            }
            7 | 8 => {
                let which = input.below(3);
                let ended = [KeyBuilder::end_tuple, KeyBuilder::end_set, KeyBuilder::end_named][usize::from(which)](
                    &mut builder,
                );
                let legal = match list.open.last() {
                    Some((Open::Tuple, _)) => which == 0,
                    Some((Open::Set, _)) => which == 1,
                    Some((Open::Named(_), items)) => which == 2 && items.len() == 1,
                    None => false,
                };
                assert_eq!(ended.is_ok(), legal);
                if legal {
                    let (open, mut items) = list.open.pop().unwrap();
                    list.push(match open {
                        Open::Tuple => Argument::Tuple(items),
                        Open::Set => Argument::Set(items),
                        Open::Named(name) => Argument::Named(name, Box::new(items.pop().unwrap())),
                    });
                }
            }
            9 => {
                let len = input.below(4).into();
                let name = input.text(len);
                assert_eq!(builder.add_keyword(&name).is_ok(), list.takes_a_name(&name));
                if list.takes_a_name(&name) {
                    list.name = Some(name);
                }
            }
            10 => {
                let len = input.below(6).into();
                let prefix = input.flag().then(|| input.text(len));
                check(&mut builder, &list, prefix.as_deref());
            }
            _ => {
                assert!(builder.add(phicache::key::Element::Direction(3)).is_err());
                if input.below(8) == 0 {
                    builder.reset();
                    list = List::default();
                }
            }
        }
    }
    check(&mut builder, &list, None);
});
