//! How a command reaches the host's door for operators.

use anyhow::Context;
use clap::Args;

use crate::addresses::Addresses;
use crate::admin_client::AdminClient;
use crate::admin_token;
use crate::config::{Config, Secret};

/// Where the host's door for operators is.
#[derive(Debug, Args)]
pub(crate) struct AdminArgs {
    /// The host's address for operators [default: the host on this machine]
    #[arg(long, global = true, value_name = "URL")]
    admin_url: Option<String>,
    /// The admin token [default: from the configuration or the data folder]
    #[arg(long, global = true, value_name = "TOKEN")]
    admin_token: Option<String>,
}

impl AdminArgs {
    /// A client for the host that is meant.
    ///
    /// # Errors
    /// If there is no token to present.
    pub(super) fn connect(&self, config: &Config) -> anyhow::Result<AdminClient> {
        let base = match &self.admin_url {
            Some(url) => url.clone(),
            None => Addresses::of_local_host(config)?.admin_url(),
        };
        let token = match &self.admin_token {
            Some(token) => Some(Secret::new(token)),
            None => admin_token::find(config)?,
        };
        let token = token.with_context(|| {
            format!(
                "there is no admin token in {}; is the host running there? (--data-dir, --admin-token)",
                config.data_dir.display()
            )
        })?;
        AdminClient::new(&base, token, config)
    }
}
