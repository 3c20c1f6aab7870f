//! What a worker says about itself.

/// What the worker is. The host makes the agent card from it.
///
/// ```
/// use taskyard_sdk::{Manifest, Skill};
///
/// let manifest = Manifest::new("echo", "1.0.0", "Says what it is told.")
///     .skill(Skill::new("echo", "Echo", "Repeats the message.").tag("demo").example("hello"));
/// assert_eq!(manifest.skills.len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The default name of the agent: lower-case letters, digits and hyphens, at most 63 bytes.
    pub name: String,
    /// The version of the worker, as SemVer 2.0.
    pub version: String,
    /// What the worker does, for people and for agents that choose one.
    pub description: String,
    /// Its abilities.
    pub skills: Vec<Skill>,
    /// Media types that the worker takes; empty: any.
    pub input_modes: Vec<String>,
    /// Media types that the worker produces; empty: `text/plain`.
    pub output_modes: Vec<String>,
}

impl Manifest {
    /// A manifest without skills. `env!("CARGO_PKG_VERSION")` is a good `version`.
    pub fn new(
        name: impl Into<String>,
        version: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            description: description.into(),
            skills: Vec::new(),
            input_modes: Vec::new(),
            output_modes: Vec::new(),
        }
    }

    /// Adds a skill; its id must be unique within the worker.
    #[must_use]
    pub fn skill(mut self, skill: Skill) -> Self {
        self.skills.push(skill);
        self
    }

    /// Adds a media type that the worker takes.
    #[must_use]
    pub fn input_mode(mut self, media_type: impl Into<String>) -> Self {
        self.input_modes.push(media_type.into());
        self
    }

    /// Adds a media type that the worker produces.
    #[must_use]
    pub fn output_mode(mut self, media_type: impl Into<String>) -> Self {
        self.output_modes.push(media_type.into());
        self
    }
}

/// One ability of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skill {
    /// Unique within the worker; between 1 and 128 bytes.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// What the skill does, for people and for agents that choose one.
    pub description: String,
    /// Key words.
    pub tags: Vec<String>,
    /// Example prompts.
    pub examples: Vec<String>,
    /// Media types that the skill takes; empty: those of the worker.
    pub input_modes: Vec<String>,
    /// Media types that the skill produces; empty: those of the worker.
    pub output_modes: Vec<String>,
}

impl Skill {
    /// A skill without tags and examples.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            description: description.into(),
            tags: Vec::new(),
            examples: Vec::new(),
            input_modes: Vec::new(),
            output_modes: Vec::new(),
        }
    }

    /// Adds a key word.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Adds an example prompt.
    #[must_use]
    pub fn example(mut self, prompt: impl Into<String>) -> Self {
        self.examples.push(prompt.into());
        self
    }

    /// Adds a media type that the skill takes.
    #[must_use]
    pub fn input_mode(mut self, media_type: impl Into<String>) -> Self {
        self.input_modes.push(media_type.into());
        self
    }

    /// Adds a media type that the skill produces.
    #[must_use]
    pub fn output_mode(mut self, media_type: impl Into<String>) -> Self {
        self.output_modes.push(media_type.into());
        self
    }
}
