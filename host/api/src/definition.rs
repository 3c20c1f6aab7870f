//! The protocol's definition, `a2a.proto`, as descriptors.
//!
//! What the definition says about itself is not said again here: reflection serves it as it is, and
//! the routes and schemas of the OpenAPI document follow from it.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, MessageDescriptor, ServiceDescriptor};

use crate::operation::Operation;

/// The name of the file that everything is in.
pub(crate) const FILE: &str = "a2a.proto";

/// The name of the protocol's one service.
pub(crate) const SERVICE: &str = "lf.a2a.v1.A2AService";

/// An encoded `google.protobuf.FileDescriptorSet`: `a2a.proto` and everything that it imports.
pub(crate) const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/a2a.bin"));

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    // A set that the build made and the tests of this file read can be read.
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap_or_default()
});

/// All descriptors.
pub(crate) fn pool() -> &'static DescriptorPool {
    &POOL
}

/// The protocol's one service.
pub(crate) fn service() -> Option<ServiceDescriptor> {
    pool().get_service_by_name(SERVICE)
}

/// The message that asks for `operation`.
pub(crate) fn input(operation: Operation) -> Option<MessageDescriptor> {
    let mut methods = service()?.methods().collect::<Vec<_>>().into_iter();
    methods
        .find(|method| method.name() == operation.name())
        .map(|method| method.input())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_can_be_read() {
        assert!(DescriptorPool::decode(FILE_DESCRIPTOR_SET).is_ok());
        assert!(
            pool()
                .get_message_by_name("google.protobuf.Struct")
                .is_some()
        );
    }

    #[test]
    fn its_methods_are_our_operations() {
        for method in service().unwrap().methods() {
            let operation = Operation::parse(method.name()).unwrap();
            assert_eq!(operation.name(), method.name());
            assert_eq!(operation.is_streaming(), method.is_server_streaming());
        }
    }
}
