//! The half of `wasi:http` that serves requests. Language runtimes import it, but there is nothing to serve.

use wasmtime::component::Resource;

use super::Fields;
use super::{IncomingBody, OutgoingBody};
use crate::host::Ctx;
use crate::wasi::bindings::wasi::http::types::{
    ErrorCode, HostIncomingRequest, HostOutgoingResponse, HostResponseOutparam, Method, Scheme,
};

/// What a worker never gets.
#[derive(Debug)]
pub enum Never {}

impl Ctx {
    /// Shows that there is none.
    fn never(&mut self, resource: &Resource<Never>) -> wasmtime::Result<&mut Never> {
        Ok(self.table.get_mut(resource)?)
    }
}

impl HostIncomingRequest for Ctx {
    fn method(&mut self, request: Resource<Never>) -> wasmtime::Result<Method> {
        match *self.never(&request)? {}
    }

    fn path_with_query(&mut self, request: Resource<Never>) -> wasmtime::Result<Option<String>> {
        match *self.never(&request)? {}
    }

    fn scheme(&mut self, request: Resource<Never>) -> wasmtime::Result<Option<Scheme>> {
        match *self.never(&request)? {}
    }

    fn authority(&mut self, request: Resource<Never>) -> wasmtime::Result<Option<String>> {
        match *self.never(&request)? {}
    }

    fn headers(&mut self, request: Resource<Never>) -> wasmtime::Result<Resource<Fields>> {
        match *self.never(&request)? {}
    }

    fn consume(
        &mut self,
        request: Resource<Never>,
    ) -> wasmtime::Result<Result<Resource<IncomingBody>, ()>> {
        match *self.never(&request)? {}
    }

    fn drop(&mut self, request: Resource<Never>) -> wasmtime::Result<()> {
        match *self.never(&request)? {}
    }
}

impl HostOutgoingResponse for Ctx {
    fn new(&mut self, _: Resource<Fields>) -> wasmtime::Result<Resource<Never>> {
        wasmtime::bail!("a worker serves no requests, so there is nothing to respond to")
    }

    fn status_code(&mut self, response: Resource<Never>) -> wasmtime::Result<u16> {
        match *self.never(&response)? {}
    }

    fn set_status_code(
        &mut self,
        response: Resource<Never>,
        _: u16,
    ) -> wasmtime::Result<Result<(), ()>> {
        match *self.never(&response)? {}
    }

    fn headers(&mut self, response: Resource<Never>) -> wasmtime::Result<Resource<Fields>> {
        match *self.never(&response)? {}
    }

    fn body(
        &mut self,
        response: Resource<Never>,
    ) -> wasmtime::Result<Result<Resource<OutgoingBody>, ()>> {
        match *self.never(&response)? {}
    }

    fn drop(&mut self, response: Resource<Never>) -> wasmtime::Result<()> {
        match *self.never(&response)? {}
    }
}

impl HostResponseOutparam for Ctx {
    fn set(
        &mut self,
        outparam: Resource<Never>,
        _: Result<Resource<Never>, ErrorCode>,
    ) -> wasmtime::Result<()> {
        match *self.never(&outparam)? {}
    }

    fn drop(&mut self, outparam: Resource<Never>) -> wasmtime::Result<()> {
        match *self.never(&outparam)? {}
    }
}
