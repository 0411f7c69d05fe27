# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_mimir_mirror_global_optspecs
    string join \n V/version c/config-path= watch config-yaml= mode= primary= mirror= listen= admin= admin-writes admin-token-file= concurrency= drain-time-s= l/log-level= component-log-level= log-format= log-format-escaped log-path= allow-unknown-static-fields admin-address-path= service-node= service-cluster= service-zone= local-address-ip-version= file-flush-interval-msec= file-flush-min-size-kb= stats-tag= restart-epoch= base-id= use-dynamic-base-id base-id-path= disable-hot-restart socket-path= socket-mode= parent-shutdown-time-s= skip-hot-restart-on-no-parent hot-restart-version cpuset-threads enable-core-dump enable-mutex-tracing enable-fine-grain-logging log-stacktrace-single-entry reject-unknown-dynamic-fields ignore-unknown-dynamic-fields skip-deprecated-logs skip-hot-restart-parent-stats disable-extensions= drain-strategy= h/help
end

function __fish_mimir_mirror_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_mimir_mirror_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_mimir_mirror_using_subcommand
    set -l cmd (__fish_mimir_mirror_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -s c -l config-path -d 'Configuration file: an Envoy bootstrap (v2 or v3) or the native form, YAML or JSON' -r -F
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l config-yaml -d 'Configuration given inline; laid over the file, if there is one' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l mode -d '`validate` checks the configuration and exits; `init_only` starts everything but serving, and exits' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l primary -d 'Without a file: where requests go, `http://HOST[:PORT]`' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l mirror -d 'Without a file: where copies go; may be given several times' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l listen -d 'Without a file: where clients connect [default: 0.0.0.0:9900]' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l admin -d 'Without a file: where the admin listens [default: 127.0.0.1:9901]' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l admin-token-file -d 'Whoever asks the admin has to show the token in this file (`Authorization: Bearer`); overrides the file' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l concurrency -d 'Worker threads [default: one for each core]' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l drain-time-s -d 'How long requests and copies in progress may take to finish after SIGTERM, in seconds' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -s l -l log-level -d 'trace, debug, info, warning, error, critical or off' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l component-log-level -d 'Levels of single components, such as `mirror:debug,upstream:trace`' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l log-format -d 'How log lines are written: `text`, `json`, or a pattern of spdlog\'s such as `[%Y-%m-%d %T.%e][%l][%n] %v`' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l log-path -d 'Log to a file instead of standard error; SIGUSR1 opens it again' -r -F
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l admin-address-path -d 'Write the address of the admin interface to a file, once it is bound' -r -F
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l service-node -d 'Reported as the node\'s id' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l service-cluster -d 'Reported as the node\'s cluster' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l service-zone -d 'Reported as the node\'s zone' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l local-address-ip-version -d 'Which of the machine\'s addresses copies name in `x-forwarded-for`: v4 or v6' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l file-flush-interval-msec -d 'How long an access log may keep lines to itself, in milliseconds' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l file-flush-min-size-kb -d 'How many KiB of lines an access log collects before it writes them [default: 64]' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l stats-tag -d 'A label of every metric, `NAME:VALUE`; may be given several times' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l restart-epoch -d 'Takes over from the process with the epoch before; 0 is the first' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l base-id -d 'Tells the lines of processes on one machine apart [default: 0]' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l base-id-path -d 'Writes the base id to a file' -r -F
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l socket-path -d 'Where old and new process meet: a file, or with `@` an abstract name; base id and epoch are appended' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l socket-mode -d 'Permissions of that file, octal' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l parent-shutdown-time-s -d 'When the old process has to be gone at the latest, in seconds after this one serves' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l disable-extensions -d 'There are no extensions to disable' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l drain-strategy -d 'gradual or immediate: answers ask clients to leave from the begin of a drain on' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -s V -l version -d 'Prints the version'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l watch -d 'Read the configuration file again when it changes, as at SIGHUP'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l admin-writes -d 'The admin does what it is asked wherever it listens, not on loopback alone; overrides the file'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l log-format-escaped -d 'Write line ends within a log line as `\\n`'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l allow-unknown-static-fields -l allow-unknown-fields -d 'Ignore fields of an Envoy file that nobody knows; each is named in the log'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l use-dynamic-base-id -d 'Chooses a free base id'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l disable-hot-restart -d 'Takes over from nobody, and lets nobody take over'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l skip-hot-restart-on-no-parent -d 'Starts without the old process if there is none'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l hot-restart-version -d 'Prints which versions can take over from each other'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l cpuset-threads -d 'Workers follow the cores that the process may use anyway'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l enable-core-dump -d 'Cores are dumped whenever the system\'s limits allow it'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l enable-mutex-tracing -d 'There are no mutexes on the path of a request'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l enable-fine-grain-logging -d 'Loggers are components, not files'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l log-stacktrace-single-entry -d 'A panic is one entry'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l reject-unknown-dynamic-fields -d 'There is no dynamic configuration'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l ignore-unknown-dynamic-fields -d 'There is no dynamic configuration'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l skip-deprecated-logs -d 'Nobody warns of deprecated spellings'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -l skip-hot-restart-parent-stats -d 'Statistics begin anew with each process'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -s h -l help -d 'Print help'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -a "convert" -d 'Prints a configuration in another spelling'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -a "backlog" -d 'Looks at the backlog of a durable mirror, sends what is in it, or empties it'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -a "status" -d 'Says whether the primary is well and each mirror\'s copy complete; exits with 2 if a copy is not'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -a "demo" -d 'Shows two clusters, a sender and the proxy between them, on this machine'
complete -c mimir-mirror -n "__fish_mimir_mirror_needs_command" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand convert" -l to -d 'The spelling to print' -r -f -a "native\t'The native form'
envoy-v3\t'An Envoy v3 bootstrap'"
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand convert" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and not __fish_seen_subcommand_from inspect drain drop help" -s h -l help -d 'Print help'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and not __fish_seen_subcommand_from inspect drain drop help" -f -a "inspect" -d 'Says what is in it. Changes nothing, and works beside a running proxy'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and not __fish_seen_subcommand_from inspect drain drop help" -f -a "drain" -d 'Sends every copy in it to its mirror, and ends when all have an outcome. The proxy must not be running'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and not __fish_seen_subcommand_from inspect drain drop help" -f -a "drop" -d 'Lets go of every copy in it, for good. The proxy must not be running'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and not __fish_seen_subcommand_from inspect drain drop help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from inspect" -s c -l config-path -d 'Instead of a directory: the configuration that says where the backlog is' -r -F
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from inspect" -l mirror -d 'The name of its mirror in that configuration' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from inspect" -l verify -d 'Read and check every copy, not only its header'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from inspect" -l json -d 'Print JSON, with every segment and tenant'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print help'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from drain" -s c -l config-path -d 'The configuration that says where the backlog is, and where its copies go' -r -F
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from drain" -l mirror -d 'The name of its mirror in that configuration [default: every durable mirror]' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from drain" -l timeout -d 'When to give up; what is not delivered then stays' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from drain" -s h -l help -d 'Print help'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from drop" -s c -l config-path -d 'Instead of a directory: the configuration that says where the backlog is' -r -F
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from drop" -l mirror -d 'The name of its mirror in that configuration' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from drop" -l yes -d 'Do it; otherwise it only says what would go, and exits with 1'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from drop" -s h -l help -d 'Print help'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from help" -f -a "inspect" -d 'Says what is in it. Changes nothing, and works beside a running proxy'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from help" -f -a "drain" -d 'Sends every copy in it to its mirror, and ends when all have an outcome. The proxy must not be running'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from help" -f -a "drop" -d 'Lets go of every copy in it, for good. The proxy must not be running'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand backlog; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand status" -l admin -d 'The admin listener of the proxy to ask' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand status" -l watch -d 'Ask again every two seconds, until interrupted'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand status" -l json -d 'Print the JSON of /api/status, one line each time'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand status" -s h -l help -d 'Print help'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand demo" -l seconds -d 'Stop after this many seconds; the exit status then says whether both clusters ended the same and healthy' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand demo" -l shards -d 'Connections of the sender, each with one request in flight' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand demo" -l series -d 'Series, each written once in series/rate seconds' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand demo" -l rate -d 'Samples a second' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand demo" -l batch -d 'Samples in one request' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand demo" -l script -d 'Press keys at given seconds, e.g. "5:h,15:g"' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand demo" -l proxy-of -d 'The process to end with, when becoming the demo\'s proxy' -r
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand demo" -s h -l help -d 'Print help'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand help; and not __fish_seen_subcommand_from convert backlog status demo help" -f -a "convert" -d 'Prints a configuration in another spelling'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand help; and not __fish_seen_subcommand_from convert backlog status demo help" -f -a "backlog" -d 'Looks at the backlog of a durable mirror, sends what is in it, or empties it'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand help; and not __fish_seen_subcommand_from convert backlog status demo help" -f -a "status" -d 'Says whether the primary is well and each mirror\'s copy complete; exits with 2 if a copy is not'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand help; and not __fish_seen_subcommand_from convert backlog status demo help" -f -a "demo" -d 'Shows two clusters, a sender and the proxy between them, on this machine'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand help; and not __fish_seen_subcommand_from convert backlog status demo help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand help; and __fish_seen_subcommand_from backlog" -f -a "inspect" -d 'Says what is in it. Changes nothing, and works beside a running proxy'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand help; and __fish_seen_subcommand_from backlog" -f -a "drain" -d 'Sends every copy in it to its mirror, and ends when all have an outcome. The proxy must not be running'
complete -c mimir-mirror -n "__fish_mimir_mirror_using_subcommand help; and __fish_seen_subcommand_from backlog" -f -a "drop" -d 'Lets go of every copy in it, for good. The proxy must not be running'
