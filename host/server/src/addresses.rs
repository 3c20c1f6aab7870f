//! Where the host that runs on a data folder really listens, for the command line and for scripts.
//!
//! A port of 0 in the configuration means "any free one", so the configuration alone cannot tell.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::ownership;

/// The file in the data folder.
const FILE: &str = "addresses.json";

/// Where a host listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// For clients.
    pub(crate) listen: SocketAddr,
    /// For operators.
    pub(crate) admin_listen: SocketAddr,
    /// Whether clients speak TLS.
    #[serde(default)]
    pub(crate) tls: bool,
    /// Whether operators do.
    #[serde(default)]
    pub(crate) admin_tls: bool,
}

impl Addresses {
    /// Leaves the addresses in the data folder.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(&self, data_dir: &Path) -> io::Result<()> {
        // Renamed into place: whoever waits for the file never reads half of it.
        let (file, part) = (file(data_dir), data_dir.join("addresses.json.part"));
        std::fs::write(&part, serde_json::to_vec(self)?)?;
        std::fs::rename(part, file)
    }

    /// Takes them away again: nobody listens any more.
    pub(crate) fn remove(data_dir: &Path) {
        // If it is gone already, all is well.
        let _ = std::fs::remove_file(file(data_dir));
    }

    /// Where a client on this machine finds the host: what it left, else what it was configured with.
    ///
    /// # Errors
    /// If somebody else may have left it: credentials are sent there.
    pub(crate) fn of_local_host(config: &Config) -> anyhow::Result<Self> {
        let configured = Self::configured(config);
        let file = file(&config.data_dir);
        let Some(left) = Self::left_in(&config.data_dir).filter(|left| *left != configured) else {
            return Ok(configured);
        };
        let believed = ownership::check(&config.data_dir).and_then(|()| ownership::check(&file));
        believed.context(
            "the address of the host is not believed; name it with --url or --admin-url",
        )?;
        for address in [left.listen, left.admin_listen] {
            let is_configured = [config.listen, config.admin_listen].contains(&address);
            ensure!(
                address.ip().is_loopback() || address.ip().is_unspecified() || is_configured,
                "{} names another machine, {address}; name the host with --url or --admin-url",
                file.display()
            );
        }
        Ok(left)
    }

    /// Where the configuration says that a host listens.
    pub(crate) fn configured(config: &Config) -> Self {
        Self {
            listen: config.listen,
            admin_listen: config.admin_listen,
            tls: config.tls.is_some(),
            admin_tls: config.tls.as_ref().is_some_and(|tls| tls.admin),
        }
    }

    /// What the host left that runs on a data folder now, or was killed there.
    pub(crate) fn left_in(data_dir: &Path) -> Option<Self> {
        let left = std::fs::read(file(data_dir)).ok()?;
        serde_json::from_slice(&left).ok()
    }

    /// The URL for clients on this machine.
    pub(crate) fn url(&self) -> String {
        url(self.listen, self.tls)
    }

    /// The URL for operators on this machine.
    pub(crate) fn admin_url(&self) -> String {
        url(self.admin_listen, self.admin_tls)
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// The URL to reach a listener from this machine.
fn url(listener: SocketAddr, tls: bool) -> String {
    let mut address = listener;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{address}")
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_the_host_left_wins_over_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data_dir: folder.path().to_owned(),
            ..Config::default()
        };
        let configured = Addresses::of_local_host(&config).unwrap();
        assert_eq!(configured.listen, config.listen);

        let left = Addresses {
            listen: "127.0.0.1:4000".parse().unwrap(),
            admin_listen: "127.0.0.1:4001".parse().unwrap(),
            tls: true,
            admin_tls: false,
        };
        left.write(folder.path()).unwrap();
        assert_eq!(Addresses::of_local_host(&config).unwrap(), left);
        Addresses::remove(folder.path());
        assert_eq!(Addresses::of_local_host(&config).unwrap(), configured);
    }

    #[test]
    fn what_others_may_have_left_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data_dir: folder.path().to_owned(),
            ..Config::default()
        };
        let left = |admin: &str| Addresses {
            listen: "127.0.0.1:4000".parse().unwrap(),
            admin_listen: admin.parse().unwrap(),
            tls: false,
            admin_tls: false,
        };
        let refusal = || Addresses::of_local_host(&config).unwrap_err();
        left("192.0.2.1:1").write(folder.path()).unwrap();
        assert!(refusal().to_string().contains("--admin-url"));
        left("127.0.0.1:1").write(folder.path()).unwrap();
        for (path, mode) in [
            (file(folder.path()), 0o622),
            (folder.path().to_owned(), 0o777),
        ] {
            let before = path.metadata().unwrap().permissions();
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(
                refusal().to_string().contains("--admin-url"),
                "{}",
                path.display()
            );
            std::fs::set_permissions(&path, before).unwrap();
        }
        assert!(Addresses::of_local_host(&config).is_ok());
        let elsewhere = folder.path().join("elsewhere");
        std::fs::rename(file(folder.path()), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, file(folder.path())).unwrap();
        assert!(refusal().to_string().contains("--admin-url"));
    }

    #[test]
    fn a_listener_on_all_addresses_is_reached_on_loopback() {
        let table = [
            ("0.0.0.0:1", false, "http://127.0.0.1:1"),
            ("[::]:1", true, "https://[::1]:1"),
            ("10.0.0.1:1", false, "http://10.0.0.1:1"),
        ];
        for (listener, tls, expected) in table {
            assert_eq!(url(listener.parse().unwrap(), tls), expected);
        }
    }
}
