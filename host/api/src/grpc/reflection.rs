//! Server reflection: what tools such as `grpcurl` ask for. Open to anybody, as the definition is public.

use axum::Router;
use tonic_reflection::server::{Builder, Error};
use tracing::error;

use crate::definition;

/// Reflection. Without a definition that can be read there is none; that is no reason not to serve.
pub(super) fn router() -> Router {
    described().unwrap_or_else(|error| {
        error!(%error, "reflection is not served");
        Router::new()
    })
}

/// `grpc.reflection.v1.ServerReflection`, and the `v1alpha` that older tools ask for.
fn described() -> Result<Router, Error> {
    let (v1, v1alpha) = (builder().build_v1()?, builder().build_v1alpha()?);
    Ok(Router::new()
        .route_service("/grpc.reflection.v1.ServerReflection/{*method}", v1)
        .route_service(
            "/grpc.reflection.v1alpha.ServerReflection/{*method}",
            v1alpha,
        ))
}

fn builder() -> Builder<'static> {
    Builder::configure()
        .register_encoded_file_descriptor_set(definition::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
