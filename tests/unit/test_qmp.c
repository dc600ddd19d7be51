/* QMP: greeting, negotiation, requests in any shape, answers, events, hostile input. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/debug_bench.h"

#include "core/debug/qmp.h"

#ifndef HAVE_JANSSON

static void without_jansson_there_is_no_qmp(void **state)
{
    struct debug_bench *b = debug_bench_init();
    struct error *err = NULL;
    assert_false(qmp_new(b->debug, &b->line, false, &err));
    assert_non_null(strstr(error_text(err), "jansson"));
    error_free(err);
    debug_bench_fini(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_jansson_there_is_no_qmp)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

#include <jansson.h>

static struct debug_bench *b;

static int setup(void **state)
{
    b = debug_bench_init();
    assert_true(qmp_new(b->debug, &b->line, false, NULL));
    return 0;
}

static int teardown(void **state)
{
    debug_bench_fini(b);
    return 0;
}

static const char *send(const char *text)
{
    return debug_bench_send(b, text, strlen(text));
}

static void answers(const char *request, const char *answer)
{
    assert_string_equal(send(request), answer);
}

static void fails(const char *request, const char *class, const char *desc)
{
    char expected[400];
    snprintf(expected, sizeof(expected), "{\"error\": {\"class\": \"%s\", \"desc\": \"%s\"}}\r\n",
             class, desc);
    answers(request, expected);
}

static void negotiate(void)
{
    answers("{\"execute\": \"qmp_capabilities\"}\n", "{\"return\": {}}\r\n");
}

/* ---- the protocol ---------------------------------------------------------------------------- */

static void a_connection_is_greeted(void **state)
{
    assert_string_equal(
        text_str(&b->sent),
        "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}, "
        "\"package\": \"coldboot test\"}, \"capabilities\": []}}\r\n");
}

static void commands_need_the_capabilities_first(void **state)
{
    fails("{\"execute\": \"query-status\"}", "CommandNotFound",
          "Expecting capabilities negotiation with 'qmp_capabilities'");
    fails("{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}",
          "GenericError", "This server has no capabilities to enable");
    negotiate();
    fails("{\"execute\": \"qmp_capabilities\"}", "CommandNotFound",
          "Capabilities negotiation is already complete, command ignored");
}

static void the_next_connection_begins_anew(void **state)
{
    negotiate();
    text_cut(&b->sent, 0);
    send("{\"execute\": \"st");
    chardev_send_event(&b->line, CHARDEV_CLOSED);
    text_cut(&b->sent, 0);
    chardev_send_event(&b->line, CHARDEV_OPENED);
    assert_non_null(strstr(text_str(&b->sent), "{\"QMP\""));
    negotiate();
}

static void the_id_comes_back(void **state)
{
    negotiate();
    answers("{\"execute\": \"stop\", \"id\": 7}", "{\"return\": {}, \"id\": 7}\r\n");
    answers("{\"execute\": \"stop\", \"id\": [1, {\"a\": \"\\u00e9\"}]}",
            "{\"return\": {}, \"id\": [1, {\"a\": \"\xc3\xa9\"}]}\r\n");
    answers("{\"execute\": \"nope\", \"id\": null}",
            "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command nope has not "
            "been found\"}, "
            "\"id\": null}\r\n");
}

static void requests_need_no_newline_and_may_have_many(void **state)
{
    negotiate();
    answers("{\"execute\":\"stop\"}{\"execute\":\"stop\"}",
            "{\"return\": {}}\r\n{\"return\": {}}\r\n");
    answers("\n{\n\"execute\"\n:\n\"stop\"\n}\n\n", "{\"return\": {}}\r\n");
    answers("{\"exec", "");
    answers("ute\": \"st", "");
    answers("op\"}", "{\"return\": {}}\r\n");
    answers("{'execute': 'stop', 'id': 'it\\'s \"x\"'}",
            "{\"return\": {}, \"id\": \"it's \\\"x\\\"\"}\r\n");
}

static void what_is_no_request_is_refused(void **state)
{
    negotiate();
    fails("[]", "GenericError", "QMP input must be a JSON object");
    fails("1\n", "GenericError", "QMP input must be a JSON object");
    fails("\"x\"\n", "GenericError", "QMP input must be a JSON object");
    fails("{}", "GenericError", "QMP input lacks member 'execute'");
    fails("{\"execute\": 1}", "GenericError", "QMP input member 'execute' must be a string");
    fails("{\"foo\": 1}", "GenericError", "QMP input member 'foo' is unexpected");
    fails("{\"execute\": \"stop\", \"arguments\": []}", "GenericError",
          "QMP input member 'arguments' must be an object");
    fails("{\"execute\": \"stop\", \"foo\": 1}", "GenericError",
          "QMP input member 'foo' is unexpected");
}

static void bad_json_is_answered_and_forgotten(void **state)
{
    static const char *const bad[] = {
        "{bad\n",
        "}",
        "]",
        "{\"execute\": \"stop\" \"x\"}",
        "{\"a\": tru}\n",
        "\"abc\n",
        "{\"a\": \"\\x\"}",
        "{\"a\": \"\\u0000\"}",
        "{\"a\": \"\xff\"}",
        "nul\n",
        "{]",
        "[1 2]",
        "{\"a\": 1e999999}",
        "{\"a\": 01}",
        "{,}",
        "{\"execute\": \"stop\"", /* and the rest never comes: */
    };
    negotiate();
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *answer = send(bad[i]);
        if (i < ARRAY_SIZE(bad) - 1 &&
            strncmp(answer,
                    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error",
                    58) != 0) {
            fail_msg("%s answers: %s", bad[i], answer);
        }
        answers(i < ARRAY_SIZE(bad) - 1 ? "{\"execute\": \"stop\"}" : "}", "{\"return\": {}}\r\n");
    }
}

static void a_request_has_an_end(void **state)
{
    size_t len = 3 * MiB;
    char *huge = xcalloc(len + 1, 1);
    negotiate();
    memset(huge, ' ', len);
    memcpy(huge, "{\"a\": \"", 7);
    memset(huge + 7, 'x', len - 7);
    assert_non_null(strstr(debug_bench_send(b, huge, len), "the request is too long"));
    send("\n");
    answers("{\"execute\": \"stop\"}", "{\"return\": {}}\r\n");
    memset(huge, '[', len); /* nested without end */
    assert_non_null(strstr(debug_bench_send(b, huge, 2 * MiB), "JSON parse error"));
    send("\n");
    memset(huge, '\n', len); /* a look for errors at each newline would take for ever */
    huge[0] = '{';
    debug_bench_send(b, huge, len);
    free(huge);
    chardev_send_event(&b->line, CHARDEV_CLOSED);
    chardev_send_event(&b->line, CHARDEV_OPENED);
    negotiate();
}

/* ---- commands -------------------------------------------------------------------------------- */

static void arguments_are_checked_by_name_and_type(void **state)
{
    negotiate();
    fails("{\"execute\": \"screendump\"}", "GenericError", "Parameter 'filename' is missing");
    fails("{\"execute\": \"screendump\", \"arguments\": {\"filename\": 1}}", "GenericError",
          "Invalid parameter type for 'filename', expected: string");
    fails("{\"execute\": \"screendump\", \"arguments\": {\"filename\": \"/tmp/x\", \"bar\": 1}}",
          "GenericError", "Parameter 'bar' is unexpected");
    fails("{\"execute\": \"pmemsave\", \"arguments\": {\"val\": 0, \"size\": 1.5, \"filename\": "
          "\"/tmp/x\"}}",
          "GenericError", "Invalid parameter type for 'size', expected: integer");
    fails("{\"execute\": \"eject\", \"arguments\": {\"device\": \"nope\"}}", "DeviceNotFound",
          "Device 'nope' not found");
    fails("{\"execute\": \"eject\"}", "GenericError", "Parameter 'device' is missing");
    fails("{\"execute\": \"info\"}", "CommandNotFound", "The command info has not been found");
    fails("{\"execute\": \"registers\"}", "CommandNotFound",
          "The command registers has not been found");
}

static void queries_give_what_clients_read(void **state)
{
    negotiate();
    answers(
        "{\"execute\": \"query-status\"}",
        "{\"return\": {\"status\": \"prelaunch\", \"singlestep\": false, \"running\": false}}\r\n");
    answers("{\"execute\": \"query-name\"}", "{\"return\": {\"name\": \"box\"}}\r\n");
    answers("{\"execute\": \"query-uuid\"}",
            "{\"return\": {\"UUID\": \"5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a\"}}\r\n");
    answers("{\"execute\": \"query-kvm\"}",
            "{\"return\": {\"enabled\": false, \"present\": true}}\r\n");
    answers("{\"execute\": \"query-memory-size-summary\"}",
            "{\"return\": {\"base-memory\": 1048576, \"plugged-memory\": 0}}\r\n");
    answers("{\"execute\": \"query-block\"}",
            "{\"return\": [{\"device\": \"floppy0\", \"locked\": false, \"removable\": true, "
            "\"qdev\": \"bench\", \"type\": \"unknown\"}]}\r\n");
    answers("{\"execute\": \"screentext\"}", "{\"return\": {\"text\": \"A:\\\\>\\nab\\n\"}}\r\n");
}

/* Every query that takes no argument gives valid JSON. */
static void every_query_gives_json(void **state)
{
    negotiate();
    for (const struct command *c = commands; c->name != NULL; c++) {
        if ((c->where & CMD_QMP) != 0 && strncmp(c->name, "query-", 6) == 0) {
            char request[100];
            snprintf(request, sizeof(request), "{\"execute\": \"%s\"}", c->name);
            json_t *answer = json_loads(send(request), 0, NULL);
            if (json_object_get(answer, "return") == NULL) {
                fail_msg("%s: %s", c->name, text_str(&b->sent));
            }
            json_decref(answer);
        }
    }
}

static void human_commands_run_inside(void **state)
{
    negotiate();
    answers("{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"info "
            "name\"}}",
            "{\"return\": \"box\\r\\n\"}\r\n");
    answers("{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"xyz\"}}",
            "{\"return\": \"unknown command: 'xyz'\\r\\n\"}\r\n");
    fails(
        "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"info name\", "
        "\"cpu-index\": 9}}",
        "GenericError", "Parameter 'cpu-index' expects a CPU number");
}

static void keys_are_sent(void **state)
{
    negotiate();
    answers("{\"execute\": \"send-key\", \"arguments\": {\"keys\": [{\"type\": \"qcode\", "
            "\"data\": \"ctrl\"}, "
            "{\"type\": \"number\", \"data\": 30}]}}",
            "{\"return\": {}}\r\n");
    assert_string_equal(b->keys, "+1d +1e ");
    fails("{\"execute\": \"send-key\", \"arguments\": {\"keys\": [{\"type\": \"qcode\", \"data\": "
          "\"foo\"}]}}",
          "GenericError", "Parameter 'data' does not accept value 'foo'");
    fails("{\"execute\": \"send-key\", \"arguments\": {\"keys\": 1}}", "GenericError",
          "Invalid parameter type for 'keys', expected: array");
    fails("{\"execute\": \"send-key\", \"arguments\": {\"keys\": [1, null, {}]}}", "GenericError",
          "Parameter 'type' is missing");
    fails("{\"execute\": \"input-send-event\", \"arguments\": {\"events\": [{\"type\": \"key\", "
          "\"data\": "
          "{\"down\": true, \"key\": {\"type\": \"qcode\", \"data\": \"b\"}}}, {\"type\": \"abs\", "
          "\"data\": {}}]}}",
          "GenericError", "Input handler not found for event type abs");
    assert_string_equal(b->keys, "+1d +1e "); /* all or nothing */
}

static void trace_points_are_listed_and_switched(void **state)
{
    negotiate();
    answers("{\"execute\": \"trace-event-get-state\", \"arguments\": {\"name\": \"machine_req*\"}}",
            "{\"return\": [{\"name\": \"machine_request\", \"state\": \"disabled\", \"vcpu\": "
            "false}]}\r\n");
    fails("{\"execute\": \"trace-event-set-state\", \"arguments\": {\"name\": \"nosuch\", "
          "\"enable\": true}}",
          "GenericError", "unknown event \\\"nosuch\\\"");
}

/* ---- events ---------------------------------------------------------------------------------- */

static void events_tell_what_happens(void **state)
{
    machine_tell(&b->m, MACHINE_POWERDOWN, CAUSE_NONE);
    assert_null(strstr(text_str(&b->sent), "POWERDOWN")); /* not before the negotiation */
    negotiate();
    assert_non_null(
        strstr(send("{\"execute\": \"cont\"}"), "\"event\": \"RESUME\"}\r\n{\"return\": {}}\r\n"));
    assert_non_null(strstr(send("{\"execute\": \"stop\"}"), "\"event\": \"STOP\"}\r\n"));
    assert_int_equal(strncmp(text_str(&b->sent), "{\"timestamp\": {\"seconds\": ", 26), 0);
    text_cut(&b->sent, 0);
    machine_tell(&b->m, MACHINE_RESET, CAUSE_TRIPLE_FAULT);
    assert_non_null(strstr(
        text_str(&b->sent),
        "\"event\": \"RESET\", \"data\": {\"guest\": true, \"reason\": \"guest-reset\"}}\r\n"));
    machine_tell(&b->m, MACHINE_SHUTDOWN, CAUSE_HOST_QUIT);
    assert_non_null(strstr(text_str(&b->sent), "\"event\": \"SHUTDOWN\", \"data\": {\"guest\": "
                                               "false, \"reason\": \"host-qmp-quit\"}}\r\n"));
}

/* ---- hostile input --------------------------------------------------------------------------- */

static uint32_t random_;

static uint32_t pick(uint32_t n)
{
    random_ = random_ * 1664525 + 1013904223;
    return (random_ >> 8) % n;
}

static void mutated_requests_are_answered(void **state)
{
    static const char *const seeds[] = {
        "{\"execute\": \"query-status\", \"id\": [1, {\"a\": \"b\\n\\u00e9\"}]}\n",
        "{\"execute\": \"send-key\", \"arguments\": {\"keys\": [{\"type\": \"qcode\", \"data\": "
        "\"a\"}]}}\n",
        "{'execute': 'human-monitor-command', 'arguments': {'command-line': 'xp /4xb 0x1000'}}\n",
        "{\"execute\": \"trace-event-get-state\", \"arguments\": {\"name\": \"*\", \"vcpu\": "
        "-1e3}}\n",
        "[true, false, null, 1.5, \"\\ud83d\\ude00\"]\n",
    };
    negotiate();
    random_ = 1;
    for (unsigned round = 0; round < 4000; round++) {
        char text[300];
        size_t len = strlen(seeds[round % ARRAY_SIZE(seeds)]);
        memcpy(text, seeds[round % ARRAY_SIZE(seeds)], len);
        for (unsigned n = pick(4) + 1; n != 0; n--) {
            static const char bytes[] = "{}[]\"':,\\ \n\r\t0x-e\0\xff\xc3u";
            text[pick((uint32_t)len)] = bytes[pick(sizeof(bytes))];
        }
        debug_bench_send(b, text, len);
    }
    chardev_send_event(&b->line, CHARDEV_CLOSED);
    chardev_send_event(&b->line, CHARDEV_OPENED);
    negotiate();
    answers("{\"execute\": \"query-name\"}", "{\"return\": {\"name\": \"box\"}}\r\n");
}

/* A slow reader: no request is taken while much waits to be sent. */
static size_t much(struct chardev *c)
{
    return 100 * MiB;
}

static void a_reader_that_sleeps_is_waited_for(void **state)
{
    struct chardev_ops slow = *b->line.ops;
    slow.pending = much;
    b->line.ops = &slow;
    assert_int_equal(chardev_input(&b->line, (const uint8_t *)"{}", 2), 0);
    b->line.ops = &bench_line_ops;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connection_is_greeted),
        TEST(commands_need_the_capabilities_first),
        TEST(the_next_connection_begins_anew),
        TEST(the_id_comes_back),
        TEST(requests_need_no_newline_and_may_have_many),
        TEST(what_is_no_request_is_refused),
        TEST(bad_json_is_answered_and_forgotten),
        TEST(a_request_has_an_end),
        TEST(arguments_are_checked_by_name_and_type),
        TEST(queries_give_what_clients_read),
        TEST(every_query_gives_json),
        TEST(human_commands_run_inside),
        TEST(keys_are_sent),
        TEST(trace_points_are_listed_and_switched),
        TEST(events_tell_what_happens),
        TEST(mutated_requests_are_answered),
        TEST(a_reader_that_sleeps_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
