//! `taskyard key`: API keys of clients.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use taskyard_api::admin::{KeyList, KeyOrder, KeyState, KeyView, MadeKey};
use taskyard_task::visible::in_line;
use taskyard_task::{AgentName, ApiKeyId, Tenant};

use super::admin::AdminArgs;
use super::{Exit, Output};
use crate::admin_client::AdminClient;
use crate::config::Config;

/// What `key` takes.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    #[command(flatten)]
    admin: AdminArgs,
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key and print it, once; from the first key on, every call needs credentials
    Create(CreateArgs),
    /// List the keys, those that expired or were revoked too
    List,
    /// Take a key back; it opens nothing from then on
    Revoke {
        /// The key's id, the middle part of the key
        id: ApiKeyId,
    },
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// Whose work the key's clients do
    #[arg(long)]
    tenant: Tenant,
    /// What you call the key
    #[arg(long)]
    name: String,
    /// An agent that it may call; give it several times for several [default: all]
    #[arg(long = "agent", value_name = "AGENT")]
    agents: Vec<AgentName>,
    /// Let it look only: not send, cancel, or register webhooks
    #[arg(long)]
    read_only: bool,
    /// How long it is good, such as 90d, 12h, 30m or 45s [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires_in: Option<u64>,
}

/// Does what `key` says.
///
/// # Errors
/// If the host cannot be reached or refuses.
pub(crate) async fn run(args: KeyArgs, config: Config, output: Output) -> anyhow::Result<Exit> {
    let admin = args.admin.connect(&config)?;
    match args.command {
        KeyCommand::Create(args) => create(&admin, args, output).await?,
        KeyCommand::List => list(&admin, output).await?,
        KeyCommand::Revoke { id } => revoke(&admin, id, output).await?,
    }
    Ok(Exit::Ok)
}

async fn create(admin: &AdminClient, args: CreateArgs, output: Output) -> anyhow::Result<()> {
    let made: MadeKey = admin.order("/v1/keys", &args.order()).await?;
    if output.is_json() {
        return output.document(&made);
    }
    output.line(&made.secret)?;
    let MadeKey { key, .. } = &made;
    let until = key.expires_at.as_deref().unwrap_or("it is revoked");
    let about = format!(
        "This is shown once. Key {} is good until {until}; `taskyard key revoke {}` takes it back.",
        key.id, key.id
    );
    Ok(output.line(output.dim(about))?)
}

async fn list(admin: &AdminClient, output: Output) -> anyhow::Result<()> {
    let KeyList { keys } = admin.get("/v1/keys").await?;
    if output.is_json() {
        return output.document(&keys);
    }
    let header = [
        "KEY", "TENANT", "NAME", "MAY", "STATE", "CREATED", "EXPIRES",
    ];
    Ok(output.table(header, keys.iter().map(row))?)
}

async fn revoke(admin: &AdminClient, id: ApiKeyId, output: Output) -> anyhow::Result<()> {
    let path = format!("/v1/keys/{id}");
    let key: KeyView = admin.delete_for(&path).await?;
    match output.is_json() {
        true => output.document(&key),
        false => Ok(output.line(format!("{id} is revoked"))?),
    }
}

impl CreateArgs {
    fn order(self) -> KeyOrder {
        KeyOrder {
            tenant: self.tenant,
            name: self.name,
            agents: (!self.agents.is_empty()).then_some(self.agents),
            read_only: self.read_only,
            expires_in_seconds: self.expires_in,
        }
    }
}

fn row(key: &KeyView) -> [String; 7] {
    [
        key.id.clone(),
        key.tenant.to_string(),
        in_line(&key.name),
        may(key),
        state(key.state).to_owned(),
        key.created_at.clone(),
        key.expires_at.clone().unwrap_or_default(),
    ]
}

fn may(key: &KeyView) -> String {
    let what = if key.read_only { "look at" } else { "call" };
    let agents = key.agents.as_ref().map(|agents| {
        let names: Vec<_> = agents.iter().map(AgentName::as_str).collect();
        names.join(", ")
    });
    format!("{what} {}", agents.as_deref().unwrap_or("all agents"))
}

fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Active => "active",
        KeyState::Expired => "expired",
        KeyState::Revoked => "revoked",
    }
}

/// A number and its unit: seconds, minutes, hours, days or weeks.
fn seconds(text: &str) -> anyhow::Result<u64> {
    let unit = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
    let number: u64 = number.parse().context("must begin with a number")?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => bail!("must end with s, m, h, d or w, as in 90d"),
    };
    number.checked_mul(unit).context("is too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, expected) in [
            ("45s", Some(45)),
            ("30m", Some(1_800)),
            ("12h", Some(43_200)),
            ("90d", Some(7_776_000)),
            ("1w", Some(604_800)),
            ("90", None),
            ("d", None),
            ("-1d", None),
            ("1.5d", None),
            ("1 d", None),
            ("99999999999999999999s", None),
            ("9999999999999999999w", None),
        ] {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn what_a_key_may_is_said_in_words() {
        let key = |agents: Option<&[&str]>, read_only| KeyView {
            id: "0".repeat(16),
            tenant: "acme".parse().unwrap(),
            name: "ci".to_owned(),
            agents: agents.map(|names| names.iter().map(|name| name.parse().unwrap()).collect()),
            read_only,
            state: KeyState::Active,
            created_at: String::new(),
            expires_at: None,
            revoked_at: None,
        };
        assert_eq!(may(&key(None, false)), "call all agents");
        assert_eq!(may(&key(Some(&["a", "b"]), true)), "look at a, b");
    }
}
