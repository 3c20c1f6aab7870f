//! Every limit, from both of its sides, and what real workers leave of each.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A number as WebAssembly writes it.
fn number(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], number(content.len() as u64).as_slice(), content].concat()
}

/// A section that says that it has so many items, and has none.
fn says(id: u8, items: u64) -> Vec<u8> {
    section(id, &number(items))
}

/// A component that exports what workers export, and has these sections.
fn worker(sections: &[u8]) -> Vec<u8> {
    let instance = section(5, &[1, 1, 0]);
    let name = b"taskyard:worker/handler@0.2.1";
    let export = [&[1, 0, 29][..], name, &[5, 0, 0]].concat();
    [COMPONENT, &instance, &section(11, &export), sections].concat()
}

/// A core module, as a section of a component.
fn module(sections: &[u8]) -> Vec<u8> {
    section(1, &[MODULE, sections].concat())
}

/// A module with one function.
fn function(body: &[u8]) -> Vec<u8> {
    let body = [number(body.len() as u64).as_slice(), body].concat();
    let types = section(1, &[1, 0x60, 0, 0]);
    let functions = section(3, &[1, 0]);
    let code = section(10, &[&[1], body.as_slice()].concat());
    module(&[types, functions, code].concat())
}

/// A body that declares locals in groups of this size, and does nothing.
fn with_locals(groups: u64, each: u64) -> Vec<u8> {
    let group = [number(each).as_slice(), &[0x7f]].concat();
    let groups = [number(groups), group.repeat(groups as usize)].concat();
    [groups.as_slice(), &[0x0b]].concat()
}

/// A body of so many bytes that does nothing.
fn of_size(bytes: u64) -> Vec<u8> {
    [&[0], vec![0x01; bytes as usize - 2].as_slice(), &[0x0b]].concat()
}

fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| {
        section(4, &[COMPONENT, &inner].concat())
    })
}

fn refusal(component: &[u8]) -> String {
    check(component).expect_err("it passes")
}

#[track_caller]
fn too_many(component: &[u8], Limit(what, most): Limit, found: u64) {
    let expected = format!("it has {found} {what} or more; at most {most} are allowed");
    assert_eq!(refusal(component), expected);
}

/// The sections that say how many items they have: where, their number, and the limit.
const COUNTED: [(bool, u8, Limit); 18] = [
    (true, 1, TYPES),
    (true, 2, IMPORTS),
    (true, 3, FUNCTIONS),
    (true, 4, TABLES),
    (true, 5, TABLES),
    (true, 6, GLOBALS),
    (true, 13, GLOBALS),
    (true, 7, EXPORTS),
    (true, 9, ELEMENT_SEGMENTS),
    (true, 11, DATA_SEGMENTS),
    (false, 2, ITEMS),
    (false, 3, TYPES),
    (false, 5, ITEMS),
    (false, 6, ITEMS),
    (false, 7, TYPES),
    (false, 8, ITEMS),
    (false, 10, IMPORTS),
    (false, 11, EXPORTS),
];

fn with_items(is_core: bool, id: u8, items: u64) -> Vec<u8> {
    let section = says(id, items);
    worker(&if is_core { module(&section) } else { section })
}

#[test]
fn what_a_section_says_is_enough_to_refuse_it() {
    for (is_core, id, limit) in COUNTED {
        let all = u64::from(u32::MAX);
        let said = refusal(&with_items(is_core, id, all));
        let (what, most) = (limit.0, limit.1);
        assert!(
            said.contains(what) && said.contains(&most.to_string()),
            "{said}"
        );
        let one_more = refusal(&with_items(is_core, id, most + 1));
        assert!(one_more.contains(what), "{one_more}");
        // Of the component itself there is an instance and an export already. Functions without bodies, and
        // exports without names, are noticed.
        if ![(true, 3), (false, 11)].contains(&(is_core, id)) {
            assert_eq!(check(&with_items(is_core, id, most - 1)), Ok(()));
        }
    }
}

#[test]
fn what_several_sections_say_is_added() {
    let half = TYPES.1 / 2 + 1;
    let halves = [module(&says(1, half)), module(&says(1, half))].concat();
    too_many(&worker(&halves), TYPES, 2 * half);
}

#[test]
fn a_function_has_a_size() {
    let Limit(_, most) = FUNCTION_BYTES;
    assert_eq!(check(&worker(&function(&of_size(most)))), Ok(()));
    let larger = worker(&function(&of_size(most + 1)));
    too_many(&larger, FUNCTION_BYTES, most + 1);
    let many = function(&of_size(most)).repeat((CODE_BYTES.1 / most) as usize + 1);
    too_many(&worker(&many), CODE_BYTES, CODE_BYTES.1 + most);
}

#[test]
fn locals_are_added_over_their_groups() {
    let Limit(_, most) = LOCALS;
    let with = |groups, each| worker(&function(&with_locals(groups, each)));
    assert_eq!(check(&with(1, most)), Ok(()));
    assert_eq!(check(&with(most, 1)), Ok(()));
    too_many(&with(1, most + 1), LOCALS, most + 1);
    too_many(&with(most + 1, 1), LOCALS, most + 1);
    let all = u64::from(u32::MAX);
    too_many(&with(2, all), LOCALS, all);
}

#[test]
fn parts_and_their_depth_are_limited() {
    let Limit(_, most) = PARTS;
    assert_eq!(check(&worker(&module(&[]).repeat(most as usize))), Ok(()));
    let more = worker(&module(&[]).repeat(most as usize + 1));
    too_many(&more, PARTS, most + 1);

    let Limit(_, most) = DEPTH;
    assert_eq!(check(&worker(&nested(most as usize - 1))), Ok(()));
    too_many(&worker(&nested(most as usize)), DEPTH, most + 1);
}

#[test]
fn sections_are_limited() {
    let custom = section(0, &[1, b'x']);
    let many = worker(&custom.repeat(SECTIONS.1 as usize));
    too_many(&many, SECTIONS, SECTIONS.1 + 1);
}

#[test]
fn a_component_that_is_no_worker_is_told_apart() {
    let said = "it does not export `taskyard:worker/handler`, so it is no worker";
    assert_eq!(refusal(COMPONENT), said);
    // Within another component it is no export of this one.
    let inner = worker(&[]);
    assert_eq!(refusal(&[COMPONENT, &section(4, &inner)].concat()), said);
    let rubbish = [COMPONENT, b"rubbish"].concat();
    assert!(refusal(&rubbish).starts_with("it cannot be read as a component: "));
    assert!(refusal(MODULE).contains("core module"));
    assert!(refusal(&worker(&[])[..30]).starts_with("it cannot be read"));
}

/// The components that the build makes.
fn built() -> Vec<PathBuf> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let folders = ["guests", "plugins"].map(|folder| fs::read_dir(target.join(folder)).unwrap());
    let files = folders
        .into_iter()
        .flatten()
        .map(|file| file.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|it| it == "wasm"))
        .collect()
}

#[test]
fn real_workers_are_far_from_the_limits() {
    let built = built();
    assert!(built.len() > 10, "run `make build guests` first");
    for file in built {
        let shape = Shape::of(&fs::read(&file).unwrap()).unwrap();
        let counts = [
            (shape.functions, FUNCTIONS),
            (shape.code_bytes, CODE_BYTES),
            (shape.function_bytes, FUNCTION_BYTES),
            (shape.locals, LOCALS),
            (shape.types, TYPES),
            (shape.imports, IMPORTS),
            (shape.exports, EXPORTS),
            (shape.items, ITEMS),
            (shape.parts, PARTS),
            (shape.sections, SECTIONS),
            (shape.data_segments, DATA_SEGMENTS),
            (shape.element_segments, ELEMENT_SEGMENTS),
            (shape.tables, TABLES),
            (shape.globals, GLOBALS),
        ];
        for (found, Limit(what, most)) in counts {
            let name = file.display();
            assert!(found * 4 <= most, "{name} has {found} {what}");
        }
    }
}

proptest! {
    #[test]
    fn changed_bytes_break_nothing(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let sections = [function(&with_locals(2, 3)), nested(3), module(&says(9, 1))].concat();
        let mut bytes = worker(&sections);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = check(&bytes);
    }
}
