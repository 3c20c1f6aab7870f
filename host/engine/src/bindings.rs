//! What wasmtime generates from `wit/`.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "worker",
    imports: {
        "taskyard:worker/task.get-identity": trappable,
        "taskyard:worker/task.messages": trappable,
        "taskyard:worker/task.should-continue-as-new": trappable,
        "taskyard:worker/artifacts.open": trappable,
        "taskyard:worker/wait.timer": trappable,
        "taskyard:worker/wait.timer-at": trappable,
        "taskyard:worker/wait.now": trappable,
        "taskyard:worker/wait.random-u64": trappable,
        "taskyard:worker/wait.new-id": trappable,
        "taskyard:worker/children.task-id": trappable,
        "taskyard:worker/log.write": trappable,
        "taskyard:worker/config.get": trappable,
        "taskyard:worker/config.all": trappable,
        default: async | trappable,
    },
    exports: { default: async },
    trappable_error_type: {
        "taskyard:worker/types.op-error" => crate::replay::CallError,
    },
    additional_derives: [PartialEq],
});
