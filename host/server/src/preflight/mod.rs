//! What the host needs of its machine: taken and checked before the data folder is opened, so that a host that
//! cannot start changes nothing in it. `config check` takes the same, and gives it back.

mod folder;
mod machine;

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use taskyard_clock::Clock;
use taskyard_outbound::Secrets;
use taskyard_signing::Keyring;

use crate::addresses::Addresses;
use crate::admin_token;
use crate::config::{Config, TlsConfig, secrets};
use crate::descriptors::Budget;
use crate::findings::Findings;
use crate::listen::Bound;
use crate::tls::Watch;

/// What the host has before it opens the data folder.
pub(crate) struct Ready {
    pub(crate) files: Budget,
    pub(crate) certificate: Option<Watch>,
    pub(crate) secrets: Secrets,
    pub(crate) listen: Bound,
    pub(crate) admin_listen: Bound,
}

/// Takes what the host needs; nothing if that is not possible. Everything in the way is found, not only the first.
pub(crate) fn prepare(config: &Config, clock: &Clock, findings: &mut Findings) -> Option<Ready> {
    let (listen, admin_listen) = (
        findings.keep(Bound::take("listen", config.listen)),
        findings.keep(Bound::take("admin_listen", config.admin_listen)),
    );
    let files = machine::look(config, findings);
    let (certificate, secrets) = read_files(config, clock, findings);
    if !findings.problems.is_empty() {
        return None;
    }
    Some(Ready {
        files,
        certificate,
        secrets,
        listen: listen?,
        admin_listen: admin_listen?,
    })
}

/// Looks at the same and keeps nothing. The addresses of a host that runs on the data folder now are not taken by
/// somebody else.
pub(crate) fn check(config: &Config, findings: &mut Findings) {
    let running = Addresses::left_in(&config.data_dir);
    let own = running.map(|running| [running.listen, running.admin_listen]);
    for (key, address) in [
        ("listen", config.listen),
        ("admin_listen", config.admin_listen),
    ] {
        let is_own = |own: [SocketAddr; 2]| own.contains(&address);
        if !own.is_some_and(is_own) {
            findings.keep(Bound::take(key, address));
        }
    }
    machine::look(config, findings);
    read_files(config, &Clock::system(), findings);
}

/// Checks that the components to be loaded first can be read.
pub(crate) fn check_components(files: &[PathBuf], findings: &mut Findings) {
    for file in files {
        let read = File::open(file);
        findings.keep(read.with_context(|| format!("cannot load {}", file.display())));
    }
}

fn read_files(config: &Config, clock: &Clock, findings: &mut Findings) -> (Option<Watch>, Secrets) {
    folder::check("data_dir", &config.data_dir, findings);
    folder::check_files(&config.data_dir, findings);
    if let Some(cache) = &config.engine.cache_dir {
        folder::check("engine.cache_dir", cache, findings);
    }
    findings.keep(admin_token::find(config).context("admin_token"));
    findings.keep(Keyring::check(&config.signing, &config.data_dir));
    for file in config
        .api
        .jwt
        .iter()
        .filter_map(|one| one.jwks_file.as_ref())
    {
        if let Err(error) = File::open(file) {
            let file = file.display();
            findings.warning(format!(
                "api.jwt: cannot read {file}: {error}; tokens of its issuer are refused until it can be read"
            ));
        }
    }
    let certificate = config.tls.as_ref();
    let certificate = certificate.and_then(|tls| read_certificate(tls, clock, findings));
    let variable = |name: &str| std::env::var(name).ok();
    (
        certificate,
        secrets::read(&config.secrets, variable, findings),
    )
}

/// Nothing if the files cannot be used. All of those are named that cannot be read.
fn read_certificate(tls: &TlsConfig, clock: &Clock, findings: &mut Findings) -> Option<Watch> {
    let files = [
        ("tls.certificate", Some(&tls.certificate)),
        ("tls.key", Some(&tls.key)),
        ("tls.client_ca", tls.client_ca.as_ref()),
    ];
    let before = findings.problems.len();
    for (key, file) in files {
        let read = file.map_or(Ok(()), |file| {
            let read = File::open(file).map(drop);
            read.with_context(|| format!("{key}: cannot read {}", file.display()))
        });
        findings.keep(read);
    }
    if findings.problems.len() > before {
        return None;
    }
    let mut certificate = findings.keep(Watch::begin(tls, clock.clone()))?;
    if let Some(ends) = certificate.remind() {
        findings.warning(format!("tls.certificate: {ends}"));
    }
    Some(certificate)
}
