//! The content coding `gzip`, as a server that sends piece by piece writes it. It makes nothing smaller.

/// The pieces of a body, coded one by one, so that a client has each as soon as it comes.
pub(crate) fn gzip<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<Vec<u8>> {
    const HEAD: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut content = Vec::new();
    let mut coded = vec![HEAD.to_vec()];
    for piece in pieces {
        content.extend_from_slice(piece);
        coded.extend(
            piece
                .chunks(usize::from(u16::MAX))
                .map(|part| block(0, part)),
        );
    }
    let size = u32::try_from(content.len()).unwrap();
    let tail = [checksum(&content).to_le_bytes(), size.to_le_bytes()].concat();
    coded.push([block(1, b""), tail].concat());
    coded
}

/// A stored block (RFC 1951 3.2.4).
fn block(last: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let head = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    [&[last], head.as_slice(), content].concat()
}

/// CRC-32 (RFC 1952 8).
fn checksum(content: &[u8]) -> u32 {
    let shift = |sum: u32| (sum >> 1) ^ (0xedb8_8320 * (sum & 1));
    let add = |sum: u32, byte: &u8| (0..8).fold(sum ^ u32::from(*byte), |sum, _| shift(sum));
    !content.iter().fold(!0, add)
}
