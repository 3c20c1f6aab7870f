//! Changes that break readers: flipped bits, cut and doubled pieces, joined halves, words that mean
//! something.

use rand::{Rng, RngExt};

/// Readers have seen everything by then.
const MAX_BYTES: usize = 16 << 10;
/// Further changes leave nothing of the input that they began with.
const MAX_CHANGES: usize = 8;

/// What means something to one reader or another.
const WORDS: [&[u8]; 24] = [
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"\"",
    b"-1",
    b"1e999",
    b"9223372036854775808",
    b"-0.0",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\0",
    b"\xe2\x80\xa8",
    b"%00",
    b"%ff",
    b"%2f",
    b"&",
    b"=",
    b"/",
    b"[[[[[[[[[[[[[[[[",
    b"2026-02-30T24:60:60Z",
    b"\xdd\xff\xff\xff\xff",
    b"\xcb\x7f\xf8\0\0\0\0\0\0",
];

/// A file of the corpus, changed.
pub(crate) fn input(corpus: &[Vec<u8>], random: &mut impl Rng) -> Vec<u8> {
    let mut input = pick(corpus, random);
    for _ in 0..random.random_range(1..=MAX_CHANGES) {
        change(&mut input, corpus, random);
    }
    input.truncate(MAX_BYTES);
    input
}

fn pick(corpus: &[Vec<u8>], random: &mut impl Rng) -> Vec<u8> {
    let index = random.random_range(0..corpus.len().max(1));
    corpus.get(index).cloned().unwrap_or_default()
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut impl Rng) {
    let (from, to) = piece(input, random);
    match random.random_range(0..6) {
        0 => flip(input, random),
        1 => drop(input.drain(from..to)),
        2 => {
            let doubled: Vec<u8> = input.iter().take(to).skip(from).copied().collect();
            input.splice(to..to, doubled);
        }
        3 => {
            let word = WORDS.get(random.random_range(0..WORDS.len()));
            input.splice(
                from..to,
                word.into_iter().flat_map(|word| word.iter().copied()),
            );
        }
        4 => {
            let other = pick(corpus, random);
            let (begin, end) = piece(&other, random);
            input.splice(from..to, other.into_iter().take(end).skip(begin));
        }
        _ => input
            .splice(from..from, [random.random::<u8>()])
            .for_each(drop),
    }
}

fn flip(input: &mut [u8], random: &mut impl Rng) {
    let index = random.random_range(0..input.len().max(1));
    if let Some(byte) = input.get_mut(index) {
        *byte ^= 1 << random.random_range(0..8);
    }
}

/// A part of `input`, mostly a short one.
fn piece(input: &[u8], random: &mut impl Rng) -> (usize, usize) {
    let from = random.random_range(0..=input.len());
    let most = if random.random_bool(0.8) {
        16
    } else {
        input.len()
    };
    let length = random.random_range(0..=most);
    (from, (from + length).min(input.len()))
}
