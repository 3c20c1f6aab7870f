//! What wasmtime generates from `wit/deps/` for the interfaces that are the host's own.

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package taskyard:engine;

        world virtual-wasi {
            import wasi:io/streams@0.2.12;
            import wasi:http/types@0.2.12;
            import wasi:http/outgoing-handler@0.2.12;
        }
    ",
    world: "taskyard:engine/virtual-wasi",
    imports: {
        "wasi:io/streams.[method]input-stream.read": async | trappable,
        "wasi:io/streams.[method]input-stream.blocking-read": async | trappable,
        "wasi:io/streams.[method]input-stream.skip": async | trappable,
        "wasi:io/streams.[method]input-stream.blocking-skip": async | trappable,
        "wasi:io/streams.[drop]input-stream": async | trappable,
        "wasi:io/streams.[method]output-stream.blocking-flush": async | trappable,
        "wasi:io/streams.[method]output-stream.blocking-write-and-flush": async | trappable,
        "wasi:io/streams.[method]output-stream.blocking-write-zeroes-and-flush": async | trappable,
        "wasi:io/streams.[method]output-stream.splice": async | trappable,
        "wasi:io/streams.[method]output-stream.blocking-splice": async | trappable,
        "wasi:io/streams.[drop]output-stream": async | trappable,
        "wasi:http/types.[static]outgoing-body.finish": async | trappable,
        "wasi:http/types.[method]future-incoming-response.get": async | trappable,
        "wasi:http/outgoing-handler.handle": async | trappable,
        default: trappable,
    },
    with: {
        "wasi:io/error": wasmtime_wasi_io::bindings::wasi::io::error,
        "wasi:io/poll": wasmtime_wasi_io::bindings::wasi::io::poll,
        "wasi:io/streams.input-stream": wasmtime_wasi::p2::DynInputStream,
        "wasi:io/streams.output-stream": wasmtime_wasi::p2::DynOutputStream,
        "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
        "wasi:http/types.fields": super::http::Fields,
        "wasi:http/types.outgoing-request": super::http::OutgoingRequest,
        "wasi:http/types.request-options": super::http::RequestOptions,
        "wasi:http/types.outgoing-body": super::http::OutgoingBody,
        "wasi:http/types.future-incoming-response": super::http::FutureResponse,
        "wasi:http/types.incoming-response": super::http::IncomingResponse,
        "wasi:http/types.incoming-body": super::http::IncomingBody,
        "wasi:http/types.future-trailers": super::http::NoTrailers,
        "wasi:http/types.incoming-request": super::http::Never,
        "wasi:http/types.outgoing-response": super::http::Never,
        "wasi:http/types.response-outparam": super::http::Never,
    },
    trappable_error_type: {
        "wasi:io/streams.stream-error" => wasmtime_wasi::p2::StreamError,
    },
});
