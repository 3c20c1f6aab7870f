//! How large a component may be in each direction. What the compiler would work on for minutes is refused
//! before it begins.
//!
//! Nothing is validated here, only counted: one pass over the bytes, which stops at the first limit. So what
//! passes may still be no component, or still take long; the compiler has limits of its own for that.

use wasmparser::{BinaryReaderError, Encoding, FunctionBody, Parser, Payload};

/// The interface that makes a component a worker; its version is checked when it is linked.
const HANDLER: &str = "taskyard:worker/handler@";

// Each limit has room over what was measured in real workers, with the runtimes of their languages: Rust,
// JavaScript (jco) and Python (componentize-py).

/// Measured: 13,558.
const FUNCTIONS: Limit = Limit("functions", 100_000);
/// Measured: 9.2 MB.
const CODE_BYTES: Limit = Limit("bytes of code", 64 << 20);
/// Measured: 427 KB.
const FUNCTION_BYTES: Limit = Limit("bytes of code in one function", 2 << 20);
/// Measured: 271. Compiling takes as long as these times the size, and builds for debugging have many.
const LOCALS: Limit = Limit("locals in one function", 4_096);
/// Measured: 1,328.
const TYPES: Limit = Limit("types", 10_000);
/// Measured: 2,541.
const IMPORTS: Limit = Limit("imports", 20_000);
/// Measured: 4,305.
const EXPORTS: Limit = Limit("exports", 32_000);
/// Measured: 1,939.
const ITEMS: Limit = Limit("instances, aliases and adapted functions", 16_000);
/// Measured: 16.
const PARTS: Limit = Limit("modules and components", 200);
/// Measured: 2.
const DEPTH: Limit = Limit("levels of modules and components", 16);
/// Measured: 1,005.
const SECTIONS: Limit = Limit("sections", 10_000);
/// Measured: 10,000, which is as many as snapshots of a memory are divided into.
const DATA_SEGMENTS: Limit = Limit("data segments", 100_000);
/// Measured: 8.
const ELEMENT_SEGMENTS: Limit = Limit("element segments", 1_000);
/// Measured: 3.
const TABLES: Limit = Limit("tables and memories", 64);
/// Measured: 874.
const GLOBALS: Limit = Limit("globals and tags", 8_000);

/// What is limited, and how many of it there may be.
#[derive(Debug, Clone, Copy)]
struct Limit(&'static str, u64);

/// Why a component is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    /// It is no component, or it is damaged.
    #[error("it cannot be read as a component: {0}")]
    Damaged(String),
    /// It exceeds a limit.
    #[error("it has {at_least} {what} or more; at most {most} are allowed")]
    TooMany {
        at_least: u64,
        what: &'static str,
        most: u64,
    },
    /// It is a component of another kind.
    #[error("it does not export `taskyard:worker/handler`, so it is no worker")]
    NoHandler,
}

/// Checks that a component exports what workers export, and exceeds no limit.
///
/// # Errors
/// What is wrong with it, for its author.
pub(crate) fn check(component: &[u8]) -> Result<(), String> {
    Shape::of(component)
        .map(drop)
        .map_err(|problem| problem.to_string())
}

/// What there is of everything so far, in all parts of the component together.
#[derive(Debug, Default)]
struct Shape {
    functions: u64,
    code_bytes: u64,
    /// Of the largest function.
    function_bytes: u64,
    /// Of the function with most of them.
    locals: u64,
    types: u64,
    imports: u64,
    exports: u64,
    items: u64,
    parts: u64,
    /// Where the pass is; 1 in the component itself.
    depth: u64,
    sections: u64,
    data_segments: u64,
    element_segments: u64,
    tables: u64,
    globals: u64,
    has_handler: bool,
}

impl Shape {
    fn of(component: &[u8]) -> Result<Self, Problem> {
        let mut shape = Self::default();
        for payload in Parser::new(0).parse_all(component) {
            shape.add(&payload?)?;
        }
        if shape.has_handler {
            Ok(shape)
        } else {
            Err(Problem::NoHandler)
        }
    }

    fn add(&mut self, payload: &Payload<'_>) -> Result<(), Problem> {
        count(&mut self.sections, section(payload), SECTIONS)?;
        match payload {
            Payload::Version { encoding, .. } if self.depth == 0 => {
                self.depth = 1;
                is_component(*encoding)
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                count(&mut self.parts, 1, PARTS)?;
                count(&mut self.depth, 1, DEPTH)
            }
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Ok(())
            }
            Payload::ComponentExportSection(exports) if self.depth == 1 => {
                count(&mut self.exports, exports.count().into(), EXPORTS)?;
                for export in exports.clone() {
                    self.has_handler |= export?.name.name.starts_with(HANDLER);
                }
                Ok(())
            }
            Payload::CodeSectionEntry(body) => self.add_body(body),
            _ => self.add_items(payload),
        }
    }

    fn add_body(&mut self, body: &FunctionBody<'_>) -> Result<(), Problem> {
        let mut bytes = 0;
        count(&mut bytes, body.as_bytes().len() as u64, FUNCTION_BYTES)?;
        count(&mut self.code_bytes, bytes, CODE_BYTES)?;
        self.function_bytes = self.function_bytes.max(bytes);
        // They come in groups, each of which may say four billion.
        let mut locals = 0;
        for group in body.get_locals_reader()? {
            count(&mut locals, group?.0.into(), LOCALS)?;
        }
        self.locals = self.locals.max(locals);
        Ok(())
    }

    /// Sections say how many items they have; one that says more than it has is refused by the compiler.
    fn add_items(&mut self, payload: &Payload<'_>) -> Result<(), Problem> {
        let (counter, items, limit) = match payload {
            Payload::FunctionSection(it) => (&mut self.functions, it.count(), FUNCTIONS),
            Payload::TypeSection(it) => (&mut self.types, it.count(), TYPES),
            Payload::CoreTypeSection(it) => (&mut self.types, it.count(), TYPES),
            Payload::ComponentTypeSection(it) => (&mut self.types, it.count(), TYPES),
            Payload::ImportSection(it) => (&mut self.imports, it.count(), IMPORTS),
            Payload::ComponentImportSection(it) => (&mut self.imports, it.count(), IMPORTS),
            Payload::ExportSection(it) => (&mut self.exports, it.count(), EXPORTS),
            Payload::ComponentExportSection(it) => (&mut self.exports, it.count(), EXPORTS),
            Payload::DataSection(it) => (&mut self.data_segments, it.count(), DATA_SEGMENTS),
            Payload::ElementSection(it) => {
                (&mut self.element_segments, it.count(), ELEMENT_SEGMENTS)
            }
            Payload::TableSection(it) => (&mut self.tables, it.count(), TABLES),
            Payload::MemorySection(it) => (&mut self.tables, it.count(), TABLES),
            Payload::GlobalSection(it) => (&mut self.globals, it.count(), GLOBALS),
            Payload::TagSection(it) => (&mut self.globals, it.count(), GLOBALS),
            Payload::InstanceSection(it) => (&mut self.items, it.count(), ITEMS),
            Payload::ComponentInstanceSection(it) => (&mut self.items, it.count(), ITEMS),
            Payload::ComponentAliasSection(it) => (&mut self.items, it.count(), ITEMS),
            Payload::ComponentCanonicalSection(it) => (&mut self.items, it.count(), ITEMS),
            _ => return Ok(()),
        };
        count(counter, items.into(), limit)
    }
}

fn is_component(encoding: Encoding) -> Result<(), Problem> {
    match encoding {
        Encoding::Component => Ok(()),
        Encoding::Module => Err(Problem::Damaged("it is a core module".to_owned())),
    }
}

/// Functions come one by one; everything else that is read is a section, or its beginning.
fn section(payload: &Payload<'_>) -> u64 {
    u64::from(!matches!(payload, Payload::CodeSectionEntry(_)))
}

fn count(counter: &mut u64, more: u64, Limit(what, most): Limit) -> Result<(), Problem> {
    *counter = counter.saturating_add(more);
    if *counter <= most {
        return Ok(());
    }
    Err(Problem::TooMany {
        at_least: *counter,
        what,
        most,
    })
}

impl From<BinaryReaderError> for Problem {
    fn from(error: BinaryReaderError) -> Self {
        Self::Damaged(error.to_string())
    }
}

#[cfg(test)]
mod tests;
