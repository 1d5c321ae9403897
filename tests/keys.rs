//! Keys: the test vectors; equal argument lists have equal keys, and different ones have different keys.

mod arguments;

use std::fs;

use arguments::{Argument, Meaning, add, meaning};
use phicache::key::{Element, KeyBuilder};
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn apply(key: &mut KeyBuilder, operation: &str) {
    let (name, value) = operation.split_once(':').unwrap_or((operation, ""));
    let number = || u64::from_str_radix(value, 16).unwrap();
    let text = || String::from_utf8(hex(value)).unwrap();
    match name {
        "none" => key.add(Element::None),
        "bool" => key.add(Element::Bool(value == "1")),
        "int" => key.add(Element::Int(value.parse().unwrap())),
        "uint" => key.add(Element::Uint(value.parse().unwrap())),
        "double" => key.add(Element::Double(f64::from_bits(number()))),
        "bytes" => key.add(Element::Bytes(&hex(value))),
        "string" => key.add(Element::String(&text())),
        "direction" => key.add(Element::Direction(value.parse().unwrap())),
        "nodes" => key.add(Element::Nodes(number())),
        "kw" => key.add_keyword(&text()),
        "doubles" => {
            let values: Vec<_> = value.split(',').filter(|bits| !bits.is_empty()).collect();
            let number = |bits: &&str| f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
            key.add_doubles(&values.iter().map(number).collect::<Vec<_>>())
        }
        "<" => key.begin_named(&text()),
        ">" => key.end_named(),
        "(" => key.begin_tuple(),
        ")" => key.end_tuple(),
        "{" => key.begin_set(),
        "}" => key.end_set(),
        other => panic!("an unknown operation: {other}"),
    }
    .unwrap();
}

#[test]
fn the_test_vectors_agree() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/c-tests/data/key_vectors.txt")).unwrap();
    let mut key = KeyBuilder::new();
    let mut vectors = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let (typed, expected) = (words.next() == Some("typed"), hex(words.next().unwrap()));
        key.reset();
        words.for_each(|operation| apply(&mut key, operation));
        assert_eq!(key.key(typed).unwrap(), expected, "{line}");
        let fast = key.try_fast_key(typed);
        assert!(fast.is_none_or(|fast| fast == expected), "{line}, the fast path");
        assert!(fast.is_some() || line.contains("kw:"), "{line} is not on the fast path");
        vectors += 1;
    }
    assert!(vectors > 100);
}

/// A list of arguments, the last of which may have names.
type Call = (Vec<Argument>, Vec<(String, Argument)>);

fn key_of(key: &mut KeyBuilder, (positional, named): &Call, typed: bool) -> Vec<u8> {
    key.reset();
    positional.iter().for_each(|argument| add(key, argument));
    for (name, argument) in named {
        key.add_keyword(name).unwrap();
        add(key, argument);
    }
    key.key(typed).unwrap().to_vec()
}

fn meaning_of((positional, named): &Call, typed: bool) -> (Vec<Meaning>, std::collections::BTreeMap<String, Meaning>) {
    let named = named.iter().map(|(name, argument)| (name.clone(), meaning(argument, typed)));
    (positional.iter().map(|argument| meaning(argument, typed)).collect(), named.collect())
}

/// Arguments from few values, so that equal values of different types are frequent.
fn argument() -> impl Strategy<Value = Argument> {
    let doubles = prop_oneof![
        Just(0.0),
        Just(-0.0),
        Just(1.0),
        Just(2.5),
        Just(f64::NAN),
        Just(-f64::NAN),
        Just(f64::INFINITY),
        Just(9007199254740992.0),
        Just(9223372036854775808.0),
        Just(-9223372036854775808.0),
        Just(18446744073709551616.0),
        any::<f64>(),
    ];
    let array = prop::collection::vec(doubles.clone(), 0..3);
    let integers = prop_oneof![
        0..3i64,
        Just(9007199254740992),
        Just(9007199254740993),
        Just(i64::MAX),
        Just(i64::MIN),
        any::<i64>()
    ];
    let leaf = prop_oneof![
        Just(Argument::None),
        any::<bool>().prop_map(Argument::Bool),
        integers.prop_map(Argument::Int),
        prop_oneof![0..3u64, Just(1 << 63), Just(u64::MAX)].prop_map(Argument::Uint),
        doubles.prop_map(Argument::Double),
        prop::collection::vec(0..3u8, 0..3).prop_map(Argument::Bytes),
        "[ab\0]{0,2}".prop_map(Argument::String),
        (0..3u8).prop_map(Argument::Direction),
        (0..4u64).prop_map(Argument::Nodes),
        array.prop_map(Argument::Doubles),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Argument::Tuple),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Argument::Set),
            ("[ab]{0,2}", inner).prop_map(|(name, item)| Argument::Named(name, Box::new(item))),
        ]
    })
}

fn call() -> impl Strategy<Value = Call> {
    let named = prop::collection::hash_map("[ab]{0,2}", argument(), 0..3);
    (prop::collection::vec(argument(), 0..3), named.prop_map(|map| map.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..Default::default() })]

    /// Compares many pairs of one list, so that some are equal.
    #[test]
    fn keys_are_equal_exactly_where_the_arguments_are(calls in prop::collection::vec(call(), 24)) {
        let mut key = KeyBuilder::new();
        for typed in [false, true] {
            let seen: Vec<_> =
                calls.iter().map(|call| (key_of(&mut key, call, typed), meaning_of(call, typed), call)).collect();
            for (at, (key_a, meaning_a, a)) in seen.iter().enumerate() {
                for (key_b, meaning_b, b) in &seen[..at] {
                    prop_assert_eq!(key_a == key_b, meaning_a == meaning_b, "typed {}: {:?} and {:?}", typed, a, b);
                }
            }
        }
    }

    #[test]
    fn the_order_of_sets_and_of_names_does_not_matter((items, named) in call(), argument in argument()) {
        let mut key = KeyBuilder::new();
        let mut reversed: Vec<_> = items.clone();
        reversed.reverse();
        let mut renamed = named.clone();
        renamed.reverse();
        for typed in [false, true] {
            let one = (vec![argument.clone(), Argument::Set(items.clone())], named.clone());
            let other = (vec![argument.clone(), Argument::Set(reversed.clone())], renamed.clone());
            prop_assert_eq!(key_of(&mut key, &one, typed), key_of(&mut key, &other, typed));
        }
    }
}

#[test]
fn an_invalid_argument_list_is_refused_and_changes_nothing() {
    let mut key = KeyBuilder::new();
    key.add(Element::Int(1)).unwrap();
    assert!(key.end_tuple().is_err() && key.end_set().is_err());
    assert!(key.add(Element::Direction(3)).is_err());
    key.begin_tuple().unwrap();
    assert!(key.key(false).is_err() && key.end_set().is_err() && key.add_keyword("k").is_err());
    key.end_tuple().unwrap();
    key.add_keyword("k").unwrap();
    assert!(key.key(false).is_err() && key.add_keyword("l").is_err());
    key.add(Element::Int(2)).unwrap();
    assert!(key.add(Element::Int(3)).is_err() && key.begin_set().is_err() && key.add_keyword("k").is_err());
    let kept = key.key(false).unwrap().to_vec();

    let mut other = KeyBuilder::new();
    other.add(Element::Int(1)).unwrap();
    other.begin_tuple().unwrap();
    other.end_tuple().unwrap();
    other.add_keyword("k").unwrap();
    other.add(Element::Int(2)).unwrap();
    assert_eq!(other.key(false).unwrap(), kept);

    let mut deep = KeyBuilder::new();
    (0..64).for_each(|_| deep.begin_set().unwrap());
    assert!(deep.begin_tuple().is_err());
    (0..64).for_each(|_| deep.end_set().unwrap());
    assert!(deep.key(true).is_ok());
}

#[test]
fn an_array_of_doubles_is_not_a_tuple_and_takes_eight_bytes_a_double() {
    let values: Vec<f64> = (0..1000).map(f64::from).collect();
    let (mut array, mut tuple) = (KeyBuilder::new(), KeyBuilder::new());
    array.add_doubles(&values).unwrap();
    tuple.begin_tuple().unwrap();
    values.iter().for_each(|value| tuple.add(Element::Double(*value)).unwrap());
    tuple.end_tuple().unwrap();
    for typed in [false, true] {
        assert_ne!(array.key(typed).unwrap(), tuple.key(typed).unwrap());
        assert_eq!(array.key(typed).unwrap().len(), 1 + 5 + 8 * values.len());
    }
}

#[test]
fn a_named_type_holds_one_element_and_differs_from_it_and_from_other_types() {
    let mut key = KeyBuilder::new();
    let mut keys = Vec::new();
    for name in ["", "color", "colour"] {
        key.reset();
        key.begin_named(name).unwrap();
        assert!(key.end_named().is_err(), "no element yet");
        assert!(key.end_tuple().is_err() && key.end_set().is_err() && key.key(false).is_err());
        assert!(key.add_keyword("k").is_err());
        key.add(Element::Int(1)).unwrap();
        assert!(key.add(Element::Int(2)).is_err() && key.begin_tuple().is_err(), "a second element");
        assert!(key.begin_named("inner").is_err() && key.add_doubles(&[1.0]).is_err(), "a second element");
        key.end_named().unwrap();
        assert!(key.end_named().is_err());
        keys.push(key.key(false).unwrap().to_vec());
    }
    key.reset();
    key.add(Element::Int(1)).unwrap();
    keys.push(key.key(false).unwrap().to_vec());
    let different: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(different.len(), keys.len());
}

#[test]
fn a_prefix_is_an_additional_first_argument() {
    let mut key = KeyBuilder::new();
    key.add(Element::Int(7)).unwrap();
    let with = key.key_with_prefix(false, Some("p")).unwrap().to_vec();
    let without = key.key_with_prefix(false, None).unwrap().to_vec();
    for (prefix, expected) in [(Some("p"), &with), (None, &without)] {
        let head = KeyBuilder::new().key_with_prefix(false, prefix).unwrap().to_vec();
        assert_eq!(key.try_fast_key_behind(false, &head), Some(&expected[..]));
    }
    key.reset();
    key.add(Element::String("p")).unwrap();
    key.add(Element::Int(7)).unwrap();
    assert_eq!(key.key(false).unwrap(), with);
    key.reset();
    key.add(Element::None).unwrap();
    key.add(Element::Int(7)).unwrap();
    assert_eq!(key.key(false).unwrap(), without);
}

#[test]
fn the_standard_keys_are_what_the_builder_makes() {
    use phicache::key::{mice, repertoire};
    let mut key = KeyBuilder::new();
    let mut buffer = [0; 128];
    for prefix in [None, Some(""), Some("cause_repertoire")] {
        key.reset();
        key.add(prefix.map_or(Element::None, Element::String)).unwrap();
        key.add(Element::Direction(1)).unwrap();
        key.add(Element::Nodes(5)).unwrap();
        let head = key.key(false).unwrap().to_vec();
        key.add(Element::Nodes(6)).unwrap();
        let len = repertoire(&mut buffer, prefix, 1, 5, 6).unwrap();
        assert_eq!(key.key(false).unwrap(), &buffer[..len]);

        let len = mice(&mut buffer, prefix, 1, 5, None).unwrap();
        assert_eq!(&buffer[..len], [&head[..], &[0]].concat());
        let empty = mice(&mut buffer, prefix, 1, 5, Some(&[])).unwrap();
        assert_eq!(&buffer[..empty], [&head[..], &[0x0A, 0, 0, 0, 0]].concat());
        let ordered = [2, 1];
        let len = mice(&mut buffer, prefix, 1, 5, Some(&ordered)).unwrap();
        assert_eq!((buffer[empty], buffer[empty + 1], len), (9, 2, empty + 18));
        assert!(mice(&mut buffer[..len - 1], prefix, 1, 5, Some(&ordered)).is_err());
    }
}
