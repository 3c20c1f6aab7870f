//! What a person sees when the host is ready: where it is, what it has, what to try.

use std::fmt::Write;
use std::path::Path;

use taskyard_task::Agent;

use crate::addresses::Addresses;
use crate::cli::quoted;

/// How this program was called, so that what is printed can be pasted as it is.
pub(crate) fn program() -> String {
    let called = std::env::args().next();
    called.unwrap_or_else(|| "taskyard".to_owned())
}

/// The greeting, with commands for `program`.
pub(crate) fn greeting<'a>(
    program: &str,
    addresses: &Addresses,
    data_dir: &Path,
    agents: impl Iterator<Item = &'a Agent>,
) -> String {
    let agents: Vec<&Agent> = agents.collect();
    let names: Vec<_> = agents.iter().map(|agent| named(agent)).collect();
    let names = if names.is_empty() {
        "none yet".to_owned()
    } else {
        names.join(", ")
    };
    let mut text = format!(
        "Taskyard {} is ready.\n\n  clients    {}\n  operators  {}\n  data       {}\n  agents     {names}\n\nTry in another terminal:\n\n",
        env!("CARGO_PKG_VERSION"),
        addresses.url(),
        addresses.admin_url(),
        data_dir.display(),
    );
    for command in commands(agents.first().copied()) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {program} {command}");
    }
    text
}

fn named(agent: &Agent) -> String {
    format!("{} {}", agent.name, agent.manifest.version)
}

fn commands(agent: Option<&Agent>) -> Vec<String> {
    let Some(agent) = agent else {
        return vec![
            "plugin load WORKER.wasm".to_owned(),
            "plugin list".to_owned(),
        ];
    };
    let name = &agent.name;
    let examples = agent
        .manifest
        .skills
        .iter()
        .flat_map(|skill| &skill.examples);
    let example = examples.map(String::as_str).next().unwrap_or("hello");
    vec![
        format!(
            "task send --agent {name} --stream {}",
            quoted(example.lines().next().unwrap_or_default())
        ),
        format!("task watch --agent {name} TASK"),
        format!("task answer --agent {name} TASK \"yes\""),
    ]
}

#[cfg(test)]
mod tests {
    use taskyard_task::{Digest, Manifest, RunLimits, Skill, Timestamp};

    use super::*;

    fn agent() -> Agent {
        let skill = Skill {
            id: "echo".to_owned(),
            name: "Echo".to_owned(),
            description: "Says it again".to_owned(),
            tags: Vec::new(),
            examples: vec!["it's me".to_owned()],
            input_modes: Vec::new(),
            output_modes: Vec::new(),
        };
        Agent {
            name: "echo".parse().unwrap(),
            digest: Digest::of(b""),
            manifest: Manifest {
                name: "echo".parse().unwrap(),
                version: "1.2.3".to_owned(),
                description: String::new(),
                skills: vec![skill],
                input_modes: Vec::new(),
                output_modes: Vec::new(),
            },
            config: "{}".to_owned(),
            limits: RunLimits::default(),
            max_runs: None,
            revision: 1,
            deployed_at: Timestamp(0),
            egress: taskyard_task::EgressPolicy::default(),
            answer_by_context: false,
        }
    }

    fn greet(agents: &[Agent]) -> String {
        let addresses = Addresses {
            listen: "0.0.0.0:7420".parse().unwrap(),
            admin_listen: "127.0.0.1:7421".parse().unwrap(),
            tls: false,
            admin_tls: false,
        };
        greeting("taskyard", &addresses, Path::new("data"), agents.iter())
    }

    #[test]
    fn commands_can_be_pasted() {
        let text = greet(&[agent()]);
        for expected in [
            "clients    http://127.0.0.1:7420\n",
            "agents     echo 1.2.3\n",
            r"  taskyard task send --agent echo --stream 'it'\''s me'",
            "  taskyard task watch --agent echo TASK\n",
            "  taskyard task answer --agent echo TASK \"yes\"\n",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }

    #[test]
    fn an_empty_host_says_how_to_fill_it() {
        let text = greet(&[]);
        assert!(text.contains("agents     none yet\n"), "{text}");
        assert!(
            text.contains("  taskyard plugin load WORKER.wasm\n"),
            "{text}"
        );
    }
}
