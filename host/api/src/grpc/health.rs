//! The standard health service: whether the host can take work. Open to anybody.

use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use futures::Stream;
use taskyard_broker::Broker;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::definition::SERVICE;

/// How late a watcher hears of a change: as often as load balancers ask themselves.
const PERIOD: Duration = Duration::from_secs(1);

/// `grpc.health.v1.Health`.
pub(super) fn router(broker: Broker, stopping: CancellationToken) -> Router {
    let health = HealthServer::new(Readiness { broker, stopping });
    Router::new().route_service("/grpc.health.v1.Health/{*method}", health)
}

#[derive(Debug, Clone)]
struct Readiness {
    broker: Broker,
    /// Canceled when the host begins to shut down.
    stopping: CancellationToken,
}

impl Readiness {
    fn status(&self) -> ServingStatus {
        let ready = self.broker.is_ready().is_ok() && !self.stopping.is_cancelled();
        match ready {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        }
    }

    /// The status of a service by its name; without one, of the whole host.
    fn status_of(&self, service: &str) -> ServingStatus {
        match service.is_empty() || service == SERVICE {
            true => self.status(),
            false => ServingStatus::ServiceUnknown,
        }
    }
}

#[tonic::async_trait]
impl Health for Readiness {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match self.status_of(&request.get_ref().service) {
            ServingStatus::ServiceUnknown => Err(Status::not_found("there is no such service")),
            status => Ok(Response::new(says(status))),
        }
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let service = request.into_inner().service;
        Ok(Response::new(Box::pin(changes(self.clone(), service))))
    }
}

/// The status now, and whenever it changes; the end once the host shuts down.
fn changes(
    readiness: Readiness,
    service: String,
) -> impl Stream<Item = Result<HealthCheckResponse, Status>> {
    async_stream::stream! {
        let mut told = None;
        loop {
            let status = readiness.status_of(&service);
            if told != Some(status) {
                told = Some(status);
                yield Ok(says(status));
            }
            if readiness.stopping.is_cancelled() {
                break;
            }
            tokio::select! {
                () = readiness.stopping.cancelled() => {}
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }
}

fn says(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}
