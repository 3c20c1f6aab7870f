//! What the configuration is by default, where values come from, and which are refused.

use std::path::PathBuf;

use super::{Config, Flags, load};
use crate::findings::Findings;

/// The file that says what is true without one; what `taskyard config` prints on a new machine.
const DEFAULTS: &str = r#"
listen = "127.0.0.1:7420"
admin_listen = "127.0.0.1:7421"
data_dir = "data"
allow_anonymous = false
log = "info"
log_format = "human"
shutdown_delay_seconds = 0
shutdown_grace_seconds = 10
sync = true

[clock]
max_step_seconds = 300
max_absence_days = 30

[limits]
max_runs = 256
max_runs_per_agent = 256
max_runs_per_tenant = 256
max_queued = 100000
max_queued_per_tenant = 20000

[memory]

[retry]
max_attempts = 5
initial_ms = 1000
factor = 2.0
max_ms = 300000
jitter = 0.2

[task]
deadline_seconds = 2592000
cancel_grace_ms = 5000
announce_after_ms = 1000

[storage]
scrub = true

[retention]

[worker]
memory_bytes = 268435456
cpu_ms = 60000
wall_ms = 86400000
log_entries = 100000
log_lines = 10000
log_line_bytes = 8192
artifact_bytes = 268435456
message_bytes = 16777216
requests = 64
children = 64
state_keys = 10000

[api]
trusted_proxies = []
advertise_grpc = false
max_body_bytes = 33554432
body_timeout_seconds = 30
write_timeout_seconds = 60
idle_seconds = 620
max_streams_per_connection = 1024
keep_alive_seconds = 3
close_stream_on_input_required = true
streaming = true
push_notifications = true
redact_push_credentials = false
protocol_0_3 = true
file_encoding_0_3 = "by_client"
require_credentials = false
clients = []

[engine]
max_instances = 256
max_components = 64
compile_jobs = 1
compile_memory_bytes = 2147483648
compile_timeout_seconds = 120
keep_resident_bytes = 262144
hold_ms = 200

[notify]
allow_private = false
allow = []
max_concurrent = 64
timeout_ms = 15000
max_attempts = 12
initial_ms = 1000
max_ms = 600000

[signing]
keys = []

[egress]
allow_private = false
allow = []
timeout_ms = 60000
max_response_bytes = 16777216
max_concurrent = 1024
"#;

struct Setting {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
    flags: Flags,
}

impl Setting {
    fn file(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("host.toml"), text).unwrap();
        Self {
            folder,
            variables: Vec::new(),
            flags: Flags::default(),
        }
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn load(&self) -> Result<Config, String> {
        let file = self.folder.path().join("host.toml");
        let mut findings = Findings::default();
        let config = load(Some(&file), &self.variables, &self.flags, &mut findings);
        let config = config.map_err(|error| format!("{error:#}"))?;
        let checked = findings.into_result();
        checked.map_err(|error| format!("{error:#}"))?;
        Ok(config)
    }

    #[track_caller]
    fn refused(&self, because: &str) {
        let error = self.load().unwrap_err();
        assert!(error.contains(because), "{because:?} in {error:?}");
    }
}

#[test]
fn the_defaults_are_these() {
    let printed = Config::default().to_toml().unwrap();
    assert_eq!(printed.trim(), DEFAULTS.trim());
    assert_eq!(Setting::file(&printed).load().unwrap(), Config::default());
    assert_eq!(Setting::file("").load().unwrap(), Config::default());
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let file = "listen = '127.0.0.1:1'\nlog = 'warn'\n[limits]\nmax_runs = 7\nmax_queued = 8\n";
    let mut setting = Setting::file(file)
        .variable("TASKYARD_LISTEN", "127.0.0.1:2")
        .variable("TASKYARD_LIMITS__MAX_RUNS", "9")
        .variable("TASKYARD_ADMIN_TOKEN", "01234567890123456789")
        .variable("TASKYARD_SYNC", "false")
        .variable("TASKYARD_LOG", "")
        .variable("TASKYARD_NOTIFY__ALLOW", "['10.0.0.0/8', 'localhost']")
        .variable("TASKYARD_TOKEN", "for the command line")
        .variable("PATH", "/bin");
    setting.flags.listen = Some("127.0.0.1:3".to_owned());
    setting.flags.data_dir = Some(PathBuf::from("elsewhere"));

    let config = setting.load().unwrap();
    assert_eq!(config.listen, "127.0.0.1:3".parse().unwrap());
    assert_eq!(config.data_dir, PathBuf::from("elsewhere"));
    assert_eq!((config.limits.max_runs, config.limits.max_queued), (9, 8));
    assert_eq!(config.admin_token.unwrap().reveal(), "01234567890123456789");
    assert_eq!((config.sync, config.log.as_str()), (false, "warn"));
    assert_eq!(config.notify.allow, ["10.0.0.0/8", "localhost"]);
}

#[test]
fn unknown_keys_are_named_with_their_place() {
    Setting::file("lisen = '127.0.0.1:1'")
        .refused("host.toml: there is no key `lisen`; there are listen, admin_listen");
    Setting::file("[limits]\nruns = 1").refused("host.toml: there is no key `runs` in [limits]");
    Setting::file("")
        .variable("TASKYARD_LISEN", "x")
        .refused("the environment variable TASKYARD_LISEN: there is no key `lisen`");
    Setting::file("")
        .variable("TASKYARD_LIMITS__RUNS", "1")
        .refused(
            "the environment variable TASKYARD_LIMITS__RUNS: there is no key `runs` in [limits]",
        );
}

#[test]
fn values_of_the_wrong_kind_are_named_with_their_place() {
    Setting::file("listen = 'here'").refused("host.toml: `listen`: ");
    Setting::file("log_format = 'xml'").refused("host.toml: `log_format`: ");
    Setting::file("listen = ").refused("host.toml");
    Setting::file("")
        .variable("TASKYARD_SYNC", "perhaps")
        .refused("the environment variable TASKYARD_SYNC: `sync`: ");
    Setting::file("")
        .variable("TASKYARD_NOTIFY__ALLOW", "[1")
        .refused("TASKYARD_NOTIFY__ALLOW");
    let nowhere = load(
        Some("nowhere.toml".as_ref()),
        &[],
        &Flags::default(),
        &mut Findings::default(),
    )
    .unwrap_err();
    assert_eq!(
        nowhere.to_string(),
        "there is no configuration file nowhere.toml"
    );
}

#[test]
fn a_host_is_not_open_to_everybody_by_accident() {
    let outside = "listen = '0.0.0.0:7420'\n";
    Setting::file(outside).refused("listen: 0.0.0.0:7420 can be reached from other machines");
    let allowed = format!("{outside}allow_anonymous = true");
    assert!(Setting::file(&allowed).load().is_ok());
    let client = "[[api.clients]]\nname = 'ci'\ntenant = 'acme'\ntoken = 's3cret'";
    assert!(Setting::file(&format!("{outside}{client}")).load().is_ok());

    for guarded in [
        "[api]\nrequire_credentials = true",
        "[[api.jwt]]\nissuer = 'https://id'\naudiences = ['yard']",
    ] {
        let file = format!("{outside}{guarded}");
        assert!(Setting::file(&file).load().is_ok(), "{guarded}");
    }
    Setting::file("[[api.certificates]]\nsubject = 's'\ntenant = 'acme'\nname = 'ci'")
        .refused("api.certificates: set tls.client_ca as well");

    let outside = "admin_listen = '[::]:7421'\n";
    Setting::file(outside).refused("admin_listen: [::]:7421 can be reached from other machines");
    let own = format!("{outside}admin_token = 'long enough to be one'");
    Setting::file(&own).refused("admin_token: must be at least 16 printable");
    let own = format!("{outside}admin_token = 'long-enough-to-be-one'");
    assert!(Setting::file(&own).load().is_ok());
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for filter in ["inof", "taskyard_engine=debug,warm", "INFO,nothing"] {
        Setting::file(&format!("log = '{filter}'")).refused("is no level");
    }
    for filter in [
        "WARN",
        "off",
        "3",
        "info,taskyard_engine",
        "info,hyper=debug",
    ] {
        Setting::file(&format!("log = '{filter}'")).load().unwrap();
    }
    Setting::file("log = 'info,=='").refused("log: \"info,==\" is not a log filter");
    Setting::file("public_url = 'ftp://x'").refused("public_url: must begin with");
    Setting::file("[retry]\njitter = 2.0").refused("retry.jitter: must be from 0 to 1");
    Setting::file("[retry]\nmax_attempts = 0").refused("retry.max_attempts");
    Setting::file("[limits]\nmax_runs = 0").refused("limits.max_runs: must be at least 1");
    Setting::file("[notify]\nallow = ['10.0.0.0/64']").refused("notify.allow: \"10.0.0.0/64\"");
    Setting::file("[notify]\nmax_attempts = 0").refused("notify.max_attempts must be");
    Setting::file("[egress]\nallow = ['10.0.0.0/64']").refused("egress.allow: \"10.0.0.0/64\"");
    Setting::file("[egress]\ntimeout_ms = 0").refused("egress.timeout_ms must be");
    Setting::file("[secrets]\nkey = {}").refused("secrets.key: needs either `env` or `file`");
    Setting::file("[secrets]\nkey = { value = 'x' }").refused("there is no key `value`");
    Setting::file("[agents.a]\nrules = []").refused("there is no key `rules` in [agents.a]");
    Setting::file("[agents.a]\negress = [{ host = 'a b' }]").refused("the host \"a b\" is not");
    Setting::file("[agents.a]\negress = [{ host = 'a', inject = { B = '{k}' } }]")
        .refused("agents.a.egress: names the secret \"k\", which is not in [secrets]");
    Setting::file("[api]\npublic_url = 'http://x'").refused("api.public_url: set public_url");
}

#[test]
fn issuers_are_checked_and_printed() {
    let jwt = "[[api.jwt]]\nissuer = 'https://id.example'\naudiences = ['yard']\n";
    let config = Setting::file(jwt).load().unwrap();
    let printed = config.to_toml().unwrap();
    assert_eq!(Setting::file(&printed).load().unwrap(), config, "{printed}");
    let list = "[{ issuer = 'https://id.example', audiences = ['yard'] }]";
    let variable = Setting::file("").variable("TASKYARD_API__JWT", list);
    assert_eq!(variable.load().unwrap().api, config.api);

    Setting::file(&format!("{jwt}jwks_url = 'http://id.example/keys'"))
        .refused("api.jwt[0].jwks_url: must begin with https://");
    Setting::file("[[api.jwt]]\nissuer = 'http://id.example'\naudiences = ['yard']")
        .refused("api.jwt[0].issuer: must begin with https://");
    let local = "[[api.jwt]]\nissuer = 'http://127.0.0.1:8080'\naudiences = ['yard']";
    assert!(Setting::file(local).load().is_ok());
    // With a file of keys, the issuer is a name and nothing more.
    let named = "[[api.jwt]]\nissuer = 'corp'\naudiences = ['yard']\njwks_file = 'keys.json'";
    assert!(Setting::file(named).load().is_ok());
    Setting::file("[[api.jwt]]\nissuer = 'https://id'\naudiences = []")
        .refused("api.jwt[0].audiences must name");
    Setting::file("[[api.jwt]]\nissuer = 'https://id'\naudience = 'yard'")
        .refused("there is no key `audience`");
}

#[test]
fn all_values_that_make_no_sense_are_named_at_once() {
    let error = Setting::file("log = 'inof'\n[limits]\nmax_runs = 0\n[retry]\njitter = 2.0")
        .load()
        .unwrap_err();
    for key in ["log: ", "limits.max_runs: ", "retry.jitter: "] {
        assert!(error.contains(key), "{key} in {error}");
    }
}

#[test]
fn the_doors_have_two_addresses() {
    for (listen, admin, is_one) in [
        ("127.0.0.1:1", "127.0.0.1:1", true),
        ("127.0.0.1:0", "127.0.0.1:0", false),
        ("127.0.0.1:1", "127.0.0.2:1", false),
        ("0.0.0.0:1", "127.0.0.1:1", true),
        ("[::]:1", "127.0.0.1:1", true),
        ("0.0.0.0:1", "[::1]:1", false),
    ] {
        let setting = Setting::file(&format!(
            "listen = '{listen}'\nadmin_listen = '{admin}'\nallow_anonymous = true"
        ));
        match is_one {
            true => setting.refused("admin_listen: "),
            false => drop(setting.load().unwrap()),
        }
    }
}

#[test]
fn errors_do_not_show_values_which_may_be_secrets() {
    const SECRET: &str = "hunter2-hunter2-hunter2";
    for wrong in [
        "admin_token = 'SECRET",
        "admin_token = SECRET",
        "admin_token = ['SECRET']",
        "admin_token = 'SECRET with spaces'",
        "api = 'SECRET'",
        "sync = 'SECRET'",
        "log_format = 'SECRET'",
        "listen = 'SECRET'",
        "public_url = 'https://me:SECRET@example.com'",
        "public_url = 'https://SECRET@:x'",
        "[limits]\nmax_runs = 'SECRET'",
        "[secrets]\nopenai = 'SECRET'",
        "[secrets]\nopenai = { env = 'SECRET' }",
        "[secrets]\nopenai = { file = '/SECRET', env = 'SECRET' }",
        "[[api.clients]]\nname = 'ci'\ntenant = 'acme'\ntoken = 'SECRET é'",
        "[[api.clients]]\nname = 'ci'\ntenant = 'SECRET\\n'\ntoken = 'SECRET",
        "[[api.jwt]]\nissuer = 'http://me:SECRET@id.example'\naudiences = ['yard']",
        "[[api.jwt]]\nissuer = 'https://id'\naudiences = ['yard']\njwks_url = 'http://me:SECRET@id.example'",
        "[[api.jwt]]\nissuer = 'https://id'\naudiences = ['yard']\nalgorithms = ['SECRET']",
        "[api]\ngrpc_url = 'me:SECRET@x y'",
        "[agents.a]\negress = [{ host = 'a', inject = { Authorization = 'Bearer SECRET {' } }]",
        "[agents.a]\negress = ['SECRET']",
    ] {
        let error = Setting::file(&wrong.replace("SECRET", SECRET)).load();
        let error = error.unwrap_err();
        assert!(!error.contains(SECRET), "{wrong}: {error}");
    }
    for (name, value) in [
        ("TASKYARD_ADMIN_TOKEN", "SECRET with spaces"),
        ("TASKYARD_ADMIN_TOKEN", "['SECRET'"),
        ("TASKYARD_ADMIN_TOKEN", "['SECRET']"),
        ("TASKYARD_API", "SECRET"),
        ("TASKYARD_API__CLIENTS", "[{ token = 'SECRET }]"),
        ("TASKYARD_API__CLIENTS", "[{ token = 'SECRET' }]"),
        ("TASKYARD_API__CLIENTS", "SECRET"),
        ("TASKYARD_SECRETS__OPENAI", "SECRET"),
        ("TASKYARD_SYNC", "SECRET"),
    ] {
        let setting = Setting::file("").variable(name, &value.replace("SECRET", SECRET));
        let error = setting.load().unwrap_err();
        assert!(!error.contains(SECRET), "{name}={value}: {error}");
    }
}

#[test]
fn agents_are_set_up_by_the_file_alone() {
    let file = r#"
[secrets]
openai = { env = "OPENAI_API_KEY" }

[agents.writer]
answer_by_context = true
config = { pages = 20, style = { kind = "dry" } }
egress = [
    { host = "api.openai.com", inject = { Authorization = "Bearer {openai}" } },
    { host = "*.example.com:8443" },
]
"#;
    let config = Setting::file(file).load().unwrap();
    let changes = config.agents[&"writer".parse().unwrap()].changes();
    assert_eq!(changes.answer_by_context, Some(true));
    assert_eq!(
        changes.config.as_deref(),
        Some(r#"{"pages":20,"style":{"kind":"dry"}}"#)
    );
    let rules = serde_json::to_value(changes.egress).unwrap();
    let expected = serde_json::json!([
        {"host": "api.openai.com", "inject": {"authorization": "Bearer {openai}"}},
        {"host": "*.example.com:8443", "inject": {}},
    ]);
    assert_eq!(rules, expected);
    let printed = config.to_toml().unwrap();
    assert_eq!(Setting::file(&printed).load().unwrap(), config);
}

#[test]
fn secrets_are_not_printed() {
    let file = "admin_token = 'long-enough-to-be-one'\n\
                [[api.clients]]\nname = 'ci'\ntenant = 'acme'\ntoken = 's3cret'";
    let printed = Setting::file(file).load().unwrap().to_toml().unwrap();
    assert!(printed.contains("admin_token = \"***\""), "{printed}");
    assert!(printed.contains("name = \"ci\""), "{printed}");
    for secret in ["long-enough", "s3cret"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
