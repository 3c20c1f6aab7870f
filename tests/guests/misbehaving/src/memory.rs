//! Takes all memory there is.

use taskyard_sdk::prelude::*;

use crate::Args;

const MIB: usize = 1 << 20;

pub(crate) fn bomb(_: &Task, _: &Args) -> Result<Outcome> {
    let mut blocks = Vec::new();
    loop {
        blocks.push(std::hint::black_box(vec![1_u8; MIB]));
    }
}

pub(crate) fn hog(_: &Task, _: &Args) -> Result<Outcome> {
    let mut blocks = Vec::new();
    while let Some(block) = try_block() {
        blocks.push(block);
    }
    let got = blocks.len();
    // Words need memory, too.
    drop(blocks);
    Ok(Outcome::completed_with(format!("{got} MiB")))
}

fn try_block() -> Option<Vec<u8>> {
    let mut block = Vec::new();
    block.try_reserve_exact(MIB).ok()?;
    block.resize(MIB, 1);
    Some(std::hint::black_box(block))
}
