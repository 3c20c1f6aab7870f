//! What the other tests talk to: a host with both doors and one agent.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use futures::future::{BoxFuture, FutureExt as _, ready};
use serde_json::{Value, json};
use taskyard_broker::{Broker, DeployRequest, Error, Inspector, NotTaken, Sources, WebhookPolicy};
use taskyard_clock::{Clock, IdSource};
use taskyard_signing::Keyring;
use taskyard_task::{AgentName, Manifest, Skill, Tenant};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::http::{Answer, Stream, post};
use super::worker::work;
use crate::{Admin, Api, Config, Memory, Token, admin_router, public_router};

/// A host with one agent, `echo`.
pub(super) struct Host {
    pub(super) public: Router,
    pub(super) admin: Router,
    pub(super) broker: Broker,
    pub(super) stopping: CancellationToken,
    _folder: TempDir,
}

struct TextWorker;

impl Inspector for TextWorker {
    fn inspect<'a>(&'a self, component: &'a [u8]) -> BoxFuture<'a, Result<Manifest, Error>> {
        let manifest = Manifest {
            name: "echo".parse().unwrap(),
            version: String::from_utf8_lossy(component).into_owned(),
            description: "Does as it is told.".to_owned(),
            skills: vec![skill("say"), skill("whisper")],
            input_modes: vec!["text/*".to_owned()],
            output_modes: Vec::new(),
        };
        let is_plugin = component != b"not a plugin";
        let inspected = is_plugin.then_some(manifest);
        let nothing = || Error::PluginRefused("it exports nothing".to_owned());
        ready(inspected.ok_or_else(nothing)).boxed()
    }
}

fn skill(id: &str) -> Skill {
    Skill {
        id: id.to_owned(),
        name: id.to_uppercase(),
        description: format!("Can {id} it."),
        tags: vec!["echo".to_owned()],
        examples: Vec::new(),
        input_modes: Vec::new(),
        output_modes: vec!["text/plain".to_owned()],
    }
}

struct OnlyHttps;

impl WebhookPolicy for OnlyHttps {
    fn check<'a>(&'a self, _: &'a Tenant, url: &'a str) -> BoxFuture<'a, Result<(), NotTaken>> {
        let judged = match url {
            _ if !url.starts_with("https://") => {
                Err(NotTaken::Refused("must use https".to_owned()))
            }
            "https://slow.example.com/" => Err(NotTaken::Busy("too much is asked".to_owned())),
            _ => Ok(()),
        };
        ready(judged).boxed()
    }
}

impl Host {
    pub(super) async fn new(config: Config) -> Self {
        let host = Self::without_agents(config);
        host.deploy("echo").await;
        tokio::spawn(work(host.broker.clone()));
        host
    }

    /// A host with several agents, `approval` and `echo`, and this default one.
    pub(super) async fn of_two(config: Config, default_agent: Option<&str>) -> Self {
        let default_agent = default_agent.map(|name| name.parse().unwrap());
        let host = Self::open(config, default_agent);
        host.deploy("approval").await;
        host.deploy("echo").await;
        tokio::spawn(work(host.broker.clone()));
        host
    }

    pub(super) fn without_agents(config: Config) -> Self {
        Self::open(config, None)
    }

    /// Deploys the worker under this name.
    pub(super) async fn deploy(&self, name: &str) {
        let request = DeployRequest {
            agent: Some(name.parse().unwrap()),
            component: b"1.0.0".to_vec(),
            config: None,
            limits: taskyard_task::LimitChanges::default(),
            max_runs: None,
            egress: None,
            answer_by_context: None,
            replace: false,
        };
        self.broker.deploy(request).await.unwrap();
    }

    fn open(config: Config, default_agent: Option<AgentName>) -> Self {
        let folder = TempDir::new().unwrap();
        let storage = taskyard_storage::Config {
            folder: folder.path().to_owned(),
            sync: false,
            max_open_files: None,
            accept_data_loss: false,
        };
        let settings = taskyard_broker::Config {
            default_agent,
            ..taskyard_broker::Config::default()
        };
        let broker = Broker::open(&storage, settings, Sources::default()).unwrap();
        broker.set_inspector(Arc::new(TextWorker));
        broker.set_webhook_policy(Arc::new(OnlyHttps));
        let (clock, ids) = (Clock::system(), IdSource::system());
        let stopping = CancellationToken::new();
        let admin = Admin::new(
            broker.clone(),
            Token::try_from("operator".to_owned()).unwrap(),
            Arc::new(|| "taskyard_up 1\n".to_owned()),
            clock.clone(),
            ids.clone(),
        );
        let keys =
            Keyring::open(&taskyard_signing::Config::default(), folder.path(), &ids).unwrap();
        let memory = Memory::new(1 << 30);
        let api = Api::new(
            config,
            broker.clone(),
            keys,
            memory,
            clock,
            ids,
            stopping.clone(),
        );
        Self {
            public: public_router(api),
            admin: admin_router(admin),
            broker,
            stopping,
            _folder: folder,
        }
    }

    /// The answer to a call of `method` on the default agent.
    pub(super) async fn call(&self, method: &str, params: Value) -> Value {
        self.call_at("/", &[], method, params).await.json()
    }

    /// The result of a call that must succeed.
    pub(super) async fn result(&self, method: &str, params: Value) -> Value {
        let mut answer = self.call(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// The code of a call that must fail.
    pub(super) async fn error(&self, method: &str, params: Value) -> i64 {
        let answer = self.call(method, params).await;
        answer["error"]["code"].as_i64().unwrap_or_default()
    }

    pub(super) async fn call_at(
        &self,
        uri: &str,
        headers: &[(&str, &str)],
        method: &str,
        params: Value,
    ) -> Answer {
        self.stream_at(uri, headers, method, params)
            .await
            .whole()
            .await
    }

    /// A call whose answer is read piece by piece.
    pub(super) async fn stream_at(
        &self,
        uri: &str,
        headers: &[(&str, &str)],
        method: &str,
        params: Value,
    ) -> Stream {
        let body = json!({"jsonrpc": "2.0", "id": "r", "method": method, "params": params});
        let request = post(uri, headers).header("a2a-version", "1.0");
        let request = request.body(Body::from(body.to_string())).unwrap();
        Stream::open(&self.public, request).await
    }

    /// Sends `text`, waits for the end of the turn, and gives the task.
    pub(super) async fn send(&self, text: &str) -> Value {
        self.result("SendMessage", message(text)).await["task"].take()
    }
}

/// The params of a send of one text.
pub(super) fn message(text: &str) -> Value {
    json!({"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}]}})
}

/// The params of a send of one text to an existing task.
pub(super) fn follow_up(task: &Value, text: &str) -> Value {
    let mut params = message(text);
    params["message"]["taskId"] = task["id"].clone();
    params
}
