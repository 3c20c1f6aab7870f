//! What rules match, which of them wins, and what is no rule.

use proptest::prelude::*;

use super::*;

fn origin(url: &str) -> Origin {
    let (scheme, rest) = match url.strip_prefix("https://") {
        Some(rest) => (Scheme::Https, rest),
        None => (Scheme::Http, url.strip_prefix("http://").unwrap()),
    };
    let (host, port) = match rest.rsplit_once(':').filter(|_| !rest.ends_with(']')) {
        Some((host, port)) => (host, port.parse().unwrap()),
        None => (rest, scheme.default_port()),
    };
    let host = match host.trim_matches(['[', ']']).parse() {
        Ok(address) => OriginHost::Address(address),
        Err(_) => OriginHost::Name(host.to_owned()),
    };
    Origin { scheme, host, port }
}

fn pattern(text: &str) -> HostPattern {
    text.parse().unwrap()
}

fn policy(hosts: &[&str]) -> EgressPolicy {
    let rule = |host: &&str| EgressRule {
        host: pattern(host),
        inject: BTreeMap::new(),
    };
    EgressPolicy {
        rules: hosts.iter().map(rule).collect(),
    }
}

#[test]
fn patterns_match_what_they_say() {
    for (text, yes, no) in [
        (
            "api.example.com",
            &["https://api.example.com", "http://api.example.com"][..],
            &[
                "https://api.example.com:8443",
                "https://example.com",
                "https://x.api.example.com",
                "https://api.example.com.evil.com",
                "https://evil-api.example.com",
            ][..],
        ),
        (
            "API.Example.COM.:8443",
            &[
                "https://api.example.com:8443",
                "http://api.example.com:8443",
            ],
            &["https://api.example.com"],
        ),
        (
            "*.example.com",
            &["https://a.example.com", "https://a.b.example.com"],
            &[
                "https://example.com",
                "https://evilexample.com",
                "https://.example.com",
                "https://a.example.com:444",
            ],
        ),
        (
            "https://api.example.com",
            &["https://api.example.com"],
            &["http://api.example.com", "http://api.example.com:443"],
        ),
        (
            "http://localhost:8080",
            &["http://localhost:8080"],
            &["https://localhost:8080", "http://localhost"],
        ),
        (
            "10.0.0.5",
            &["http://10.0.0.5", "https://10.0.0.5"],
            &[
                "http://10.0.0.50",
                "http://10.0.0.5:81",
                "http://[::ffff:10.0.0.5]",
            ],
        ),
        ("10.0.0.5:81", &["http://10.0.0.5:81"], &["http://10.0.0.5"]),
        (
            "2001:db8::7",
            &["https://[2001:db8::7]"],
            &["https://[2001:db8::8]"],
        ),
        (
            "[2001:DB8::7]:81",
            &["http://[2001:db8:0::7]:81"],
            &["http://[2001:db8::7]"],
        ),
        (
            "*",
            &[
                "https://a.example.com",
                "http://8.8.8.8",
                "https://[2001:db8::7]",
            ],
            &["https://a.example.com:444"],
        ),
        (
            "*:444",
            &["https://a.example.com:444"],
            &["https://a.example.com"],
        ),
    ] {
        for url in yes {
            assert!(pattern(text).matches(&origin(url)), "{text} and {url}");
        }
        for url in no {
            assert!(!pattern(text).matches(&origin(url)), "{text} and {url}");
        }
    }
}

#[test]
fn what_is_no_host_is_refused() {
    for text in [
        "",
        " ",
        ".",
        "a..b",
        ".example.com",
        "a b",
        "ftp://example.com",
        "https://example.com/v1",
        "me@example.com",
        "*example.com",
        "a.*.com",
        "*.",
        "*.*.com",
        "**",
        "bücher.example",
        "example.com:",
        "example.com:0",
        "example.com:+80",
        "example.com:65536",
        "127.1",
        "0x7f.1",
        "1.2.3.4.5",
        "10.0.0.0/8",
        "[::1",
        "[::1]x",
        "[1.2.3.4]",
        "[::1]:",
        "::1:::",
    ] {
        let parsed = text.parse::<HostPattern>();
        assert!(parsed.is_err(), "{text}: {parsed:?}");
    }
    let label = "a".repeat(64);
    assert!(label.parse::<HostPattern>().is_err());
    let name = ["a"; 200].join(".");
    assert!(name.parse::<HostPattern>().is_err());
    let error = "127.1".parse::<HostPattern>().unwrap_err().to_string();
    assert_eq!(
        error,
        "the host \"127.1\" looks like an address; write all four numbers of it"
    );
}

#[test]
fn the_most_specific_rule_wins() {
    let policy = policy(&[
        "*",
        "*.com",
        "*.example.com",
        "api.example.com:443",
        "api.example.com",
        "https://api.example.com",
        "10.0.0.5",
    ]);
    for (url, rule) in [
        ("https://example.org", "*"),
        ("https://example.com", "*.com"),
        ("https://www.example.com", "*.example.com"),
        ("https://api.example.com", "api.example.com:443"),
        ("http://api.example.com", "api.example.com"),
        ("http://10.0.0.5", "10.0.0.5"),
    ] {
        let found = policy.rule_for(&origin(url)).unwrap();
        assert_eq!(found.host, pattern(rule), "{url}");
    }
    assert_eq!(policy.rule_for(&origin("https://example.org:444")), None);
    assert_eq!(
        EgressPolicy::default().rule_for(&origin("https://a.b")),
        None
    );
}

#[test]
fn a_rule_replaces_the_one_for_the_same_hosts() {
    let mut policy = policy(&["a.example", "b.example"]);
    let rule = EgressRule {
        host: pattern("A.example"),
        inject: BTreeMap::from([("X-Key".parse().unwrap(), "{k}".parse().unwrap())]),
    };
    policy.put(rule.clone());
    assert_eq!(policy.rules.len(), 2);
    assert!(policy.rules.contains(&rule) && rule.has_secrets());
    assert!(policy.remove(&pattern("b.example")));
    assert!(!policy.remove(&pattern("b.example")));
    assert_eq!(policy.rules, [rule]);
}

#[test]
fn templates_take_secrets_in() {
    let fill = |text: &str| {
        let template: Template = text.parse().unwrap();
        template.fill(|name| (name == "key").then_some("s3cret"))
    };
    assert_eq!(fill("Bearer {key}"), Ok("Bearer s3cret".to_owned()));
    assert_eq!(fill(" {key}:{key}; "), Ok("s3cret:s3cret;".to_owned()));
    assert_eq!(fill("as it is"), Ok("as it is".to_owned()));
    let missing = fill("{other}").unwrap_err();
    assert_eq!(missing.to_string(), "the host has no secret \"other\"");
    for text in [
        "", "a\nb", "ü", "{", "}", "{}", "{a b}", "{{a}}", "{a}}", "{a{b}}", "{a", "a}",
    ] {
        assert!(text.parse::<Template>().is_err(), "{text}");
    }
}

#[test]
fn headers_of_the_connection_cannot_be_added() {
    let header = |text: &str| text.parse::<InjectedHeader>();
    assert_eq!(header("X-Api-Key").unwrap().as_str(), "x-api-key");
    for text in [
        "",
        "a b",
        "a:",
        "Host",
        "Proxy-Authorization",
        "Content-Length",
        "TE",
        "ü",
    ] {
        assert!(header(text).is_err(), "{text}");
    }
}

#[test]
fn rules_are_written_the_same_everywhere() {
    let text = r#"[{"host":"api.example.com:8443","inject":{"authorization":"Bearer {key}"}},{"host":"*.example.org","inject":{}}]"#;
    let policy: EgressPolicy = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&policy).unwrap(), text);
    let short: EgressPolicy = serde_json::from_str(r#"[{"host": "A.example"}]"#).unwrap();
    assert_eq!(short, super::tests::policy(&["a.example"]));
    for (wrong, problem) in [
        (r#"[{"host": "a", "injekt": {}}]"#, "unknown field"),
        (
            r#"[{"host": "a"}, {"host": "A"}]"#,
            "there are two rules for a",
        ),
        (
            r#"[{"host": "a", "inject": {"host": "b"}}]"#,
            "belongs to the connection",
        ),
        (
            r#"[{"host": "a", "inject": {"b": "{"}}]"#,
            "must have braces only",
        ),
    ] {
        let error = serde_json::from_str::<EgressPolicy>(wrong).unwrap_err();
        assert!(error.to_string().contains(problem), "{wrong}: {error}");
    }
}

#[test]
fn there_are_limits() {
    let hosts: Vec<String> = (0..=MAX_RULES).map(|n| format!("h{n}.example")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let many = policy(&hosts).rules;
    assert_eq!(
        EgressPolicy::try_from(many),
        Err(InvalidEgress::TooManyRules)
    );
    let mut rules = policy(&["a.example"]).rules;
    rules[0].inject = (0..=MAX_INJECTED)
        .map(|n| (format!("x-{n}").parse().unwrap(), "v".parse().unwrap()))
        .collect();
    let refused = EgressPolicy::try_from(rules);
    assert_eq!(
        refused,
        Err(InvalidEgress::TooManyHeaders(pattern("a.example")))
    );
}

proptest! {
    #[test]
    fn garbage_is_refused_or_read_as_it_is_written(text in "\\PC{0,40}|[a-z0-9*.:\\[\\]/]{0,20}") {
        if let Ok(pattern) = text.parse::<HostPattern>() {
            prop_assert_eq!(pattern.to_string().parse::<HostPattern>(), Ok(pattern));
        }
        if let Ok(header) = text.parse::<InjectedHeader>() {
            prop_assert_eq!(header.as_str().parse::<InjectedHeader>(), Ok(header.clone()));
        }
        if let Ok(template) = text.parse::<Template>() {
            let filled = template.fill(|_| Some("s3cret")).unwrap();
            prop_assert_eq!(filled.matches("s3cret").count() >= template.secrets().count(), true);
        }
    }

    #[test]
    fn a_pattern_without_wildcards_matches_one_host_only(a in "[a-z]{1,9}\\.[a-z]{1,9}", b in "[a-z]{1,9}\\.[a-z]{1,9}") {
        let origin = origin(&format!("https://{b}"));
        prop_assert_eq!(pattern(&a).matches(&origin), a == b);
    }
}
