"""What an adapter must do, one sentence a requirement. Ids are `port.requirement` and keep their meaning for ever."""

from collections.abc import Mapping
from types import MappingProxyType

REQUIREMENTS: Mapping[str, str] = MappingProxyType(
    {
        "agent_catalog.lists_by_name": "Every agent is listed once, sorted by name.",
        "agent_catalog.tells_whole_definitions": "An agent is told with all that its definition says.",
        "agent_catalog.lists_what_it_finds": "What is listed is found by its name, and is the same.",
        "agent_catalog.unknown_refused": "A name that no agent has is refused, also when it could be none.",
        "agent_registry.keeps_what_was_put": "What was put is found with all that it says.",
        "agent_registry.put_again_replaces": "Putting under a name that is there replaces what was.",
        "agent_registry.deleted_is_gone": "What was deleted is not found.",
        "agent_registry.unknown_deletion_refused": "Deleting what is not there is refused.",
        "agent_registry.state_follows_history": "After any sequence of calls exactly what was put last is listed.",
        "agent_run_store.keeps_what_was_appended": "A log is read as it was appended, with its summary.",
        "agent_run_store.latest_summary": "The summary of a run is the one that was appended last.",
        "agent_run_store.reads_from_a_point": "A log is read from any point on, as far as asked.",
        "agent_run_store.gaps_and_forks_refused": "Records that do not follow the last one of a log are refused.",
        "agent_run_store.refused_leaves_nothing": "Of an appending that is refused nothing is kept.",
        "agent_run_store.one_of_several_succeeds": "Of several who append the same number at once, one succeeds.",
        "agent_run_store.unknown_refused": "A run that nobody began is refused, with its id.",
        "agent_run_store.owners_are_apart": "An owner neither finds, lists nor deletes what belongs to another.",
        "agent_run_store.no_owner_finds_any": "Who names no owner finds by the id alone, and lists all.",
        "agent_run_store.lists_newest_first": "Runs are listed page by page, the one that was begun last first.",
        "agent_run_store.lists_by_status": "A list of some statuses has the runs of these and no others.",
        "agent_run_store.one_claim_at_a_time": "A run is claimed by one at a time, and free when that one leaves.",
        "agent_run_store.claimed_is_not_deleted": "A run that somebody works on is not deleted.",
        "agent_run_store.deleted_is_gone": "A run that was deleted is not found, and its id is free.",
        "agent_run_store.state_follows_history": "A log holds exactly what was appended since it was begun or deleted.",
        "clock.monotonic_never_goes_back": "`monotonic_s` never goes back.",
        "clock.sleep_lasts": "`sleep` lasts at least as long as asked.",
        "clock.sleep_lets_others_run": "`sleep` lets other tasks run, also for 0 seconds.",
        "clock.counts_seconds": "`now_s` and `monotonic_s` both count in seconds.",
        "code_executor.check_passes": "`check` passes where code can be run, and a model is told what it may write.",
        "code_executor.returns_last_value": "A run is worth what its last expression is, as JSON; else None.",
        "code_executor.tells_other_values": "A value that JSON cannot say is told as Python shows it, and marked.",
        "code_executor.long_values_refused": "A value that would take more than the output may is not told.",
        "code_executor.tells_output": "What is printed is told, each stream for itself, also before an exception.",
        "code_executor.errors_are_results": "An exception is a result, with its type, message and places in the code.",
        "code_executor.wrong_syntax_is_result": "Code that is no Python is a result.",
        "code_executor.inputs_are_variables": "Inputs are variables of the code.",
        "code_executor.calls_functions": "Code calls the functions that it was given, by position and by name.",
        "code_executor.functions_raise_inside": "What a function raises is a `RuntimeError` with its message.",
        "code_executor.slow_functions_end": "A function that code waits for is cancelled when the time is over.",
        "code_executor.runs_are_apart": "A run finds nothing of those before it.",
        "code_executor.runs_side_by_side": "Several runs go on at a time.",
        "code_executor.cancelling_ends_run": "Cancelling a run ends it, and the function that it waits for.",
        "code_executor.closes_and_opens": "Closed, it holds nothing; it can be used again.",
        "code_executor.endless_loop_ends": "A loop without end ends at the time limit.",
        "code_executor.no_exception_is_caught_for_ever": "Code that catches every exception ends at the time limit.",
        "code_executor.endless_sleep_ends": "Code that sleeps ends at the time limit.",
        "code_executor.regex_ends": "A pattern that takes for ever ends at the time limit.",
        "code_executor.memory_is_bounded": "Code that takes too much memory ends, and that is said.",
        "code_executor.huge_values_refused": "A value larger than the memory is not made.",
        "code_executor.recursion_is_bounded": "Code that calls itself for ever ends alone.",
        "code_executor.output_is_bounded": "Code that prints too much ends, and its output is no longer than allowed.",
        "code_executor.disk_is_bounded": "Files that code writes take no more than its memory may.",
        "code_executor.fork_bomb_ends": "Processes that start processes end with the run.",
        "code_executor.thread_bomb_ends": "Threads without end end with the run.",
        "code_executor.no_process_stays": "A process that leaves everything behind ends with the run all the same.",
        "code_executor.no_process_is_reached": "Code cannot end processes of the machine.",
        "code_executor.no_system_file_is_read": "Code reads no file of the system that tells of its users.",
        "code_executor.no_home_file_is_read": "Code reads no file of the user.",
        "code_executor.no_variable_is_read": "Code reads no variable of the environment.",
        "code_executor.no_tcp": "Code reaches no TCP port of the machine.",
        "code_executor.no_udp": "Code reaches no UDP port of the machine.",
        "code_executor.no_unix_socket": "Code reaches no Unix socket, by path or by name.",
        "code_executor.no_file_is_written": "Code changes no file outside.",
        "code_executor.no_shell": "Code has no shell that could do what it cannot.",
        "code_executor.reads_workspace": "Code reads the files of the workspace.",
        "code_executor.keeps_workspace": "The workspace is as it was after a run.",
        "code_executor.follows_no_link_outside": "No link in the workspace leads code out of it.",
        "engine_monitor.counts_requests": "A request that is being worked on is counted.",
        "engine_monitor.idle_again": "Nothing is counted once every request has ended or was left.",
        "engine_monitor.memory_in_bytes": "Memory is told in bytes, and its peak is never below what is in use.",
        "engine_monitor.no_failure_while_serving": "An engine that serves reports no failure.",
        "generation_suspender.takes_no_place": "A suspended generation is not among those that run.",
        "generation_suspender.goes_on_where_left": "Wherever an answer is cut, it goes on as if it never had been.",
        "generation_suspender.names_model": "It tells which model a suspended generation needs, and of no other.",
        "generation_suspender.left_is_gone": "A generation that is left without being suspended is gone.",
        "generation_suspender.open_is_not_suspended": "A generation whose block is open cannot be resumed.",
        "generation_suspender.suspends_what_is_open": "Only a generation whose block is open can be suspended.",
        "generation_suspender.kept_no_longer_than_asked": "A suspended generation is gone when its time is over.",
        "generation_suspender.discard_forgets": "What is discarded cannot be resumed; what is unknown is left alone.",
        "generation_suspender.refusal_keeps_it": "A generation that cannot go on now stays suspended.",
        "model_loader.listed_until_unloaded": "A model is listed as loaded after `load` and until `unload`.",
        "model_loader.describes_model": "A loaded model tells its memory and context window, the same in the list.",
        "model_loader.loads_once": "Loading a model that is loaded returns what is there.",
        "model_loader.keeps_options": (
            "A model is loaded with all options asked for, and tells them; an unknown option is refused."
        ),
        "model_loader.refuses_other_options": "Other options do not change a model that is loaded; they are refused.",
        "model_loader.shares_load": "Callers that load the same model at once share one load.",
        "model_loader.lists_in_order": "Several models can be loaded at once and are listed in the order of loading.",
        "model_loader.unload_is_idempotent": "Unloading a model that is not loaded does nothing.",
        "model_loader.unload_frees_memory": "The memory of a model is free when `unload` returns.",
        "model_loader.unload_ends_generations": "Unloading ends generations in flight with `ModelNotLoadedError`.",
        "model_loader.unload_spares_others": "Unloading one model does not touch generations on another.",
        "model_loader.failed_load_leaves_nothing": "Files that are no model are refused and leave nothing loaded.",
        "model_loader.refuses_what_does_not_fit": "A model too large is refused with both sizes, changing nothing.",
        "model_loader.estimates_memory": "The memory estimated from a model's files is what it takes, within 15 %.",
        "model_store.list_is_sorted": "Models are listed once each, sorted by id, as downloaded or available.",
        "model_store.describe_finds_listed": "`describe` finds what is listed, by id and by alias.",
        "model_store.unknown_model_refused": "A model that neither the store nor its source knows is refused.",
        "model_store.bad_name_refused": "A name that cannot name a model is refused as invalid.",
        "model_store.locate_refuses_absent": "`locate` tells apart a model that is not downloaded from an unknown one.",
        "model_store.locate_matches_pull": "What is located is what was pulled: model, revision and size.",
        "model_store.pull_stream_order": "A pull is started, then progress that never shrinks, then done.",
        "model_store.pull_refused_on_entering": "Pulling what the source does not have raises on entering.",
        "model_store.pull_again_finishes_at_once": "A pull of a downloaded model finishes without fetching anything.",
        "model_store.pull_resumes": "A pull after one that was left finishes; a download goes on from what is there.",
        "model_store.delete_is_idempotent": "Deleting a model without files leaves it as it is.",
        "model_store.state_follows_history": (
            "A model is downloaded exactly when its last pull came to the end and it was not deleted since."
        ),
        "page_fetcher.public_web_only": "Nothing of this machine or its networks is reached, however it is written.",
        "page_fetcher.checks_redirects": "A redirect reaches nothing that could not be fetched itself.",
        "page_fetcher.html_becomes_markdown": "HTML is returned as Markdown, with its title and without tags.",
        "page_fetcher.text_stays": "Text that is not HTML is returned as it was sent.",
        "page_fetcher.follows_redirects": "Redirects are followed, and the page tells where they led.",
        "page_fetcher.failure_raises": "An error page is raised with its status, not returned.",
        "page_fetcher.refuses_what_is_no_text": "What is not text is refused.",
        "page_fetcher.refuses_what_is_too_large": "What is too large is refused, as it is sent or once it is unpacked.",
        "page_fetcher.side_by_side": "Fetches at the same time return each its own page.",
        "prompt_counter.counts_what_is_read": "A prompt's count is the length that an answer to it tells.",
        "prompt_counter.counts_beyond_window": "A prompt over the context window is counted, not refused.",
        "prompt_counter.takes_no_place": "When a count returns, nothing of it runs or waits.",
        "prompt_counter.unloaded_model_refused": "A model that is not loaded is refused.",
        "prompt_counter.undeclared_refused": (
            "If choices are declared, the prompt of several answers counts once; else it is refused."
        ),
        "response_store.keeps_what_was_put": "A response is found by its id, with all that it holds.",
        "response_store.put_again_replaces": "Putting under an id that is there replaces the response and its items.",
        "response_store.unknown_refused": "What nobody put is refused, with its id.",
        "response_store.owners_are_apart": "An owner neither finds nor deletes what belongs to another.",
        "response_store.no_owner_finds_any": "Who names no owner finds by the id alone.",
        "response_store.history_in_order": "A history is the responses that led to one, the oldest first, and it.",
        "response_store.gap_in_history_refused": "A history of which a response is gone is refused, with its id.",
        "response_store.finds_items": "An item is found while a response holds it; of several, the one put last.",
        "response_store.deleted_is_gone": "Neither a response that was deleted nor its items are found.",
        "response_store.state_follows_history": (
            "A response is found exactly when it was put and not deleted since, as it was put last."
        ),
        "task_runner.runs_from_entering_on": "All producers run from entering on, side by side, read or not.",
        "task_runner.keeps_order": "The events of a producer come in its order.",
        "task_runner.nothing_to_run": "Without producers there is nothing, and no error.",
        "task_runner.failure_after_what_was_told": "What a producer raises comes after what was told before.",
        "task_runner.failure_cancels_others": "What a producer raises cancels the others.",
        "task_runner.leaving_waits_for_the_end": "Leaving cancels what runs and waits for its end, whatever happens.",
        "task_runner.gives_up_in_time": "A block that lasts longer than asked is left with a `TimeoutError`.",
        "task_runner.none_is_all_the_time": "A limit of None is none.",
        "task_runner.cancelled_stays_cancelled": "A block that is cancelled from outside stays cancelled.",
        "task_runner.stray_cancellation_is_an_error": "A cancellation that nobody asked for is an error of the block.",
        "text_generator.stream_order": "A stream is started, prefill progress, text deltas, done, in this order.",
        "text_generator.started_names_request": "The first event names the request and the model.",
        "text_generator.prefill_counts_prompt": "Prefill progress counts towards the length of the prompt.",
        "text_generator.usage_adds_up": "Usage repeats the prompt's length, and what was cached lies within it.",
        "text_generator.timings_are_durations": "Timings are finite, not negative, and follow each other.",
        "text_generator.started_before_work": "The first event comes before the work on the prompt.",
        "text_generator.deltas_as_produced": "Deltas come as they are produced, not together at the end.",
        "text_generator.whole_characters": "A text never holds half a character, wherever the answer is cut.",
        "text_generator.max_tokens_bounds_answer": "An answer has at most max_tokens tokens, and says when it was cut.",
        "text_generator.stop_text_ends_answer": (
            "An answer ends right before the first stop text, which it leaves out and names at its end."
        ),
        "text_generator.held_back_text_is_released": "The open beginning of a stop text that does not follow is said.",
        "text_generator.temperature_0_repeats": "Temperature 0 gives the same text each time.",
        "text_generator.top_p_cuts": "A narrow top_p leaves the most probable token only.",
        "text_generator.seed": "If declared, the same seed gives the same text, alone or beside others; else refused.",
        "text_generator.top_k": "If declared, a top_k of 1 leaves the most probable token only; else refused.",
        "text_generator.min_p": "If declared, a min_p of 1 leaves the most probable token only; else refused.",
        "text_generator.repetition_penalty": "If declared, a repetition penalty is accepted; else refused.",
        "text_generator.presence_penalty": "If declared, a presence penalty is accepted; else refused.",
        "text_generator.frequency_penalty": "If declared, a frequency penalty is accepted; else refused.",
        "text_generator.logit_bias": "If declared, biases bring tokens in and keep tokens out; else refused.",
        "text_generator.choices": (
            "If declared, one request gets as many answers as it asks for, each as if alone; else refused."
        ),
        "text_generator.json_schema_output": "If declared, an answer is JSON that its schema allows; else refused.",
        "text_generator.regex_output": "If declared, an answer matches its regular expression; else refused.",
        "text_generator.lark_output": "If declared, an answer is of its Lark grammar; else refused.",
        "text_generator.gbnf_output": "If declared, an answer is of its GBNF grammar; else refused.",
        "text_generator.choice_output": "If declared, an answer is one of its choices; else refused.",
        "text_generator.impossible_output_refused": "An output that cannot be followed is refused, and so named.",
        "text_generator.reasoning_effort": (
            "If declared, a model that thinks tells its thoughts apart and counts them, and thinks nothing when asked "
            "not to; else refused."
        ),
        "text_generator.logprobs": (
            "If declared, each token of the answer is told once, with its log-probability and the most probable ones, "
            "and the text is the same; else refused."
        ),
        "text_generator.raw_prompt": (
            "If declared, a prompt is continued as it stands, as text or as tokens; else refused."
        ),
        "text_generator.tools": (
            "If declared, a tool that must be called is called, with arguments that its schema allows; else refused."
        ),
        "text_generator.named_tool_is_called": "The tool that is named is called, and no other.",
        "text_generator.no_tool_when_none": "The choice none gives the answer that there is without tools.",
        "text_generator.single_tool_call": "Without parallel calls an answer has one call.",
        "text_generator.tool_call_deltas": "The deltas of a call name it first, and add up to it.",
        "text_generator.tool_results_are_read": "Calls made before and their results are part of the prompt.",
        "text_generator.echo": "If declared, an answer begins with its prompt when asked to; else refused.",
        "text_generator.image_input": "If declared, an image is accepted; else refused.",
        "text_generator.audio_input": "If declared, a sound is accepted; else refused.",
        "text_generator.refused_on_entering": "A refusal is raised on entering, before any event.",
        "text_generator.unloaded_model_refused": "A model that is not loaded, or no longer, is refused.",
        "text_generator.long_prompt_refused": "A prompt over the context window is refused, with its length.",
        "text_generator.long_answer_refused": "A max_tokens that does not fit beside the prompt is refused, not cut.",
        "text_generator.shortens_to_fit": "A max_tokens that may be cut is accepted where it does not fit.",
        "text_generator.deadline_ends_answer": (
            "A request that is not done at its deadline is refused, or ends as cancelled and frees its place."
        ),
        "text_generator.leaving_frees_place": "Leaving at any moment, for any reason, ends the work.",
        "text_generator.concurrent_as_alone": "Requests that run at once are answered as each would be alone.",
        "text_generator.failure_stays_alone": "What one request raises ends no other.",
        "text_generator.unread_stream_stalls_no_other": "A stream that nobody reads does not hold up another.",
        "tool_provider.names_differ": "The names in one listing differ from each other.",
        "tool_provider.order_stays": "Tools are listed in an order that stays.",
        "tool_provider.listed_can_be_used": "What is listed can be used, and what can be used is listed.",
        "tool_provider.unknown_refused": "A tool that there is not is refused, by its name.",
        "tool_provider.wrong_arguments_refused": "Wrong arguments are refused before the tool does anything.",
        "tool_provider.failure_is_raised": "A use that fails raises; a failure is never an output.",
        "tool_provider.uses_run_side_by_side": "Uses run side by side, and one that fails ends no other.",
        "tool_provider.progress_while_running": "Progress is told while the use runs.",
        "tool_provider.cancelling_ends_work": "Nothing of a cancelled use runs when the cancellation has passed on.",
        "web_searcher.finds_what_there_is": "Hits have the titles, addresses and snippets found, in this order.",
        "web_searcher.at_most_as_many": "There are at most as many hits as were asked for.",
        "web_searcher.each_address_once": "An address is among the hits once.",
        "web_searcher.leads_to_pages": "Addresses of hits are absolute, http or https; others are left out.",
        "web_searcher.text_is_plain": "Titles and snippets are plain text in one line, nothing of it escaped.",
        "web_searcher.nothing_found": "A search that finds nothing returns nothing.",
        "web_searcher.failure_raises": "A search that fails raises and names the service; others go on.",
        "web_searcher.side_by_side": "Searches at the same time return each its own hits.",
        "workspace.reads_what_was_written": (
            "A text that was written is read as it was, with its size and its number of lines."
        ),
        "workspace.is_where_its_root_is": "What is written is below `root`, unless that is None.",
        "workspace.reads_lines": (
            "Ranges of lines include both ends, and tell how many lines there are and whether there are more."
        ),
        "workspace.refuses_lines_that_are_not_there": (
            "A range that begins before the first line or after the last is refused."
        ),
        "workspace.passages_are_bounded": (
            "A passage has at most `read_bytes`, ends with a line or is marked as cut, and tells of more."
        ),
        "workspace.tells_whether_new": "Writing replaces what was there, and tells whether anything was.",
        "workspace.creates_directories": "Writing creates the directories that it needs.",
        "workspace.refuses_to_leave": "A path that leads out of the workspace is refused by every operation.",
        "workspace.refuses_names_that_nothing_can_have": (
            "A path with control characters, backslashes or too much of it is refused."
        ),
        "workspace.names_what_may_be_meant": "A path that is not there is refused with the paths nearest to it.",
        "workspace.tells_files_from_directories": (
            "A directory is no file, a file no directory, and the refusal says which it is."
        ),
        "workspace.garbles_nothing": (
            "What is not UTF-8 text is neither read nor edited nor written, and the refusal says so."
        ),
        "workspace.writes_are_bounded": "A file never becomes larger than `file_bytes`; what was there stays.",
        "workspace.spares_version_control": (
            "What version control systems keep is not written, in any spelling of its name."
        ),
        "workspace.tells_where_it_edited": (
            "An edit replaces the passage, or all places if so asked, and tells in which lines."
        ),
        "workspace.refuses_unclear_edits": (
            "An edit of what is nowhere, in several places, empty or the same changes nothing."
        ),
        "workspace.edits_keep_line_ends": "An edit matches either line end, and writes the one that is there.",
        "workspace.lists_by_name": (
            "A listing goes by name, each directory before what is in it, down to the depth asked for."
        ),
        "workspace.listings_are_bounded": (
            "A listing has at most `entries`, goes down at most `depth`, and tells that there is more."
        ),
        "workspace.passes_over_hidden_entries": (
            "What begins with a dot is counted, not listed or searched, unless the path names it."
        ),
        "workspace.finds_lines": "A search finds each line that matches, with its number, whatever the line end.",
        "workspace.searches_where_asked": (
            "A search goes through one file, or a directory and those below it, as far as the glob says."
        ),
        "workspace.searches_are_bounded": (
            "A search returns at most `matches`, shows `line_characters` of each, and tells of more."
        ),
        "workspace.searches_tell_what_they_skip": (
            "Files that are not text, or too large, are counted and not searched."
        ),
        "workspace.refuses_bad_patterns": (
            "A pattern that is none, or cannot be searched in linear time, is refused; so is such a glob."
        ),
        "workspace.no_pattern_hangs": "No pattern keeps a search from ending.",
        "workspace.state_follows_history": "After any writes and edits, the files are what they would be in a dict.",
    }
)
