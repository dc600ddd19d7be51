/* Character devices on sockets, FIFOs and pseudo-terminals. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/bits.h"
#include "core/device/chardev.h"
#include "core/event/loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct lock lock;
static struct loop loop;
static struct timer end;
static struct chardev *c;
static char path[64];
static char got[1000], events[100];
static size_t room;

static void quit(void *opaque)
{
    loop_quit(&loop);
}

static int setup(void **state)
{
    lock_init(&lock);
    assert_true(loop_init(&loop, &lock, NULL));
    timer_init(&end, &loop.host, "end", quit, NULL);
    got[0] = events[0] = '\0';
    room = sizeof(got) - 1;
    c = NULL;
    snprintf(path, sizeof(path), "/tmp/coldboot-test-socket-%d", (int)getpid());
    return 0;
}

static int teardown(void **state)
{
    chardev_free(c);
    loop_fini(&loop);
    lock_fini(&lock);
    unlink(path);
    return 0;
}

static void run_ms(int64_t ms)
{
    timer_at(&end, clock_now(&loop.host) + ms * NS_PER_MS);
    loop_run(&loop);
}

static size_t can_receive(void *opaque)
{
    return room;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    assert_true(len <= room);
    room -= len;
    strncat(got, (const char *)buf, len);
}

static void event(void *opaque, enum chardev_event e)
{
    strcat(events, e == CHARDEV_OPENED ? "o" : e == CHARDEV_CLOSED ? "c" : "b");
}

static void open_chardev(const char *format, const char *argument)
{
    char spec[120];
    struct error *err = NULL;
    snprintf(spec, sizeof(spec), format, argument);
    c = chardev_new(spec, &loop, &err);
    if (c == NULL) {
        fail_msg("%s: %s", spec, error_text(err));
    }
    c->can_receive = can_receive;
    c->receive = receive;
    c->event = event;
}

static int unix_client(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(sa.sun_path, path);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

static void say(int fd, const char *bytes, size_t len)
{
    assert_int_equal(write(fd, bytes, len), len);
    run_ms(20);
}

static void hears(int fd, const char *text)
{
    char buf[200] = {0};
    run_ms(20);
    assert_int_equal(recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT), strlen(text));
    assert_string_equal(buf, text);
}

static void put(const char *text)
{
    chardev_write(c, (const uint8_t *)text, strlen(text));
}

static void a_server_serves_one_client_after_the_other(void **state)
{
    open_chardev("unix:%s,server=on,wait=off", path);
    assert_false(c->open);
    put("nobody hears this");
    int one = unix_client(), two = unix_client();
    run_ms(20);
    assert_true(c->open);
    assert_string_equal(events, "o");
    say(one, "a", 1);
    say(two, "later", 5); /* waits in the queue */
    assert_string_equal(got, "a");
    put("hello");
    hears(one, "hello");
    close(one);
    run_ms(20);
    assert_string_equal(events, "oco");
    assert_string_equal(got, "alater");
    put("you");
    hears(two, "you");
    close(two);
    run_ms(20);
    assert_string_equal(events, "ococ");
}

static void a_socket_goes_with_its_server(void **state)
{
    struct stat st;
    open_chardev("unix:%s,server,nowait", path);
    assert_int_equal(stat(path, &st), 0);
    chardev_free(c);
    c = NULL;
    assert_int_not_equal(stat(path, &st), 0);
}

static void a_file_is_not_taken_for_a_stale_socket(void **state)
{
    struct error *err = NULL;
    char spec[100];
    close(open(path, O_CREAT | O_WRONLY, 0600));
    snprintf(spec, sizeof(spec), "unix:%s,server=on,wait=off", path);
    assert_null(chardev_new(spec, &loop, &err));
    assert_non_null(strstr(error_text(err), "Address already in use"));
    error_free(err);
}

static void input_waits_for_room(void **state)
{
    open_chardev("unix:%s,server=on,wait=off", path);
    int fd = unix_client();
    run_ms(20);
    room = 3;
    say(fd, "abcdef", 6);
    assert_string_equal(got, "abc");
    room = 10;
    chardev_accepts(c);
    run_ms(20);
    assert_string_equal(got, "abcdef");
    close(fd);
}

static void more_output_waits_if_the_front_end_says_so(void **state)
{
    static char big[1024 * 1024];
    size_t seen = 0;
    open_chardev("unix:%s,server=on,wait=off", path);
    int fd = unix_client();
    run_ms(20);
    c->limit = 4 * MiB;
    memset(big, 'x', sizeof(big));
    chardev_write(c, (const uint8_t *)big, sizeof(big));
    chardev_write(c, (const uint8_t *)big, sizeof(big));
    assert_true(chardev_pending(c) > 1 * MiB);
    for (unsigned i = 0; i < 100 && seen < 2 * sizeof(big); i++) {
        run_ms(2);
        ssize_t n = recv(fd, big, sizeof(big), MSG_DONTWAIT);
        seen += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(seen, 2 * sizeof(big));
    assert_int_equal(chardev_pending(c), 0);
    close(fd);
}

/* A port that is free now. */
static unsigned free_port(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    close(fd);
    return ntohs(sa.sin_port);
}

static int tcp_client(unsigned port)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    run_ms(20);
    return fd;
}

static void without_a_host_only_this_one_gets_in(void **state)
{
    char port[16], line[256];
    bool loopback = false;
    unsigned n = free_port();
    snprintf(port, sizeof(port), "%u", n);
    open_chardev("tcp::%s,server,nowait", port);
    snprintf(port, sizeof(port), "0100007F:%04X", n);
    FILE *f = fopen("/proc/net/tcp", "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        loopback |= strstr(line, port) != NULL;
    }
    fclose(f);
    assert_true(loopback);
    int fd = tcp_client(n);
    say(fd, "hi", 2);
    assert_string_equal(got, "hi");
    close(fd);
}

static void telnet_commands_are_no_input(void **state)
{
    static const char bytes[] = "a\xff\xfd\x01"
                                "b\xff\xfa\x18\x01\xff\xff\xff\xf0"
                                "c\xff\xf3"
                                "d\r\0e\r\nf\xff";
    char port[16], hello[13] = {0};
    unsigned n = free_port();
    snprintf(port, sizeof(port), "%u", n);
    open_chardev("telnet:127.0.0.1:%s,server=on,wait=off", port);
    int fd = tcp_client(n);
    run_ms(20);
    assert_int_equal(recv(fd, hello, sizeof(hello), MSG_DONTWAIT), 12);
    assert_int_equal((uint8_t)hello[0], 0xff);
    for (size_t i = 0; i < sizeof(bytes) - 1; i++) { /* also cut anywhere */
        assert_int_equal(write(fd, bytes + i, 1), 1);
        run_ms(2);
    }
    say(fd, "\xfb\x03g", 3);
    assert_string_equal(got, "abcd\re\rfg");
    assert_string_equal(events, "ob");
    close(fd);
}

static void a_client_connects_to_a_server(void **state)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct error *err = NULL;
    char spec[100];
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(sa.sun_path, path);
    snprintf(spec, sizeof(spec), "unix:%s", path);
    assert_null(chardev_new(spec, &loop, &err));
    assert_non_null(strstr(error_text(err), "connect to"));
    error_free(err);
    assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(listener, 1), 0);
    open_chardev("unix:%s", path);
    assert_true(c->open);
    int fd = accept(listener, NULL, NULL);
    say(fd, "from the server", 15);
    assert_string_equal(got, "from the server");
    close(fd);
    run_ms(20);
    assert_string_equal(events, "c");
    put("to nobody");
    close(listener);
}

static void fifos_carry_both_ways(void **state)
{
    char in[80], out[80], buf[8] = {0};
    snprintf(in, sizeof(in), "%s.in", path);
    snprintf(out, sizeof(out), "%s.out", path);
    assert_int_equal(mkfifo(in, 0600), 0);
    assert_int_equal(mkfifo(out, 0600), 0);
    open_chardev("pipe:%s", path);
    int to = open(in, O_WRONLY | O_NONBLOCK), from = open(out, O_RDONLY | O_NONBLOCK);
    say(to, "in", 2);
    assert_string_equal(got, "in");
    put("out");
    run_ms(20);
    assert_int_equal(read(from, buf, sizeof(buf)), 3);
    assert_string_equal(buf, "out");
    close(to);
    close(from);
    unlink(in);
    unlink(out);
}

static void a_pty_is_raw_and_survives_its_users(void **state)
{
    char buf[8] = {0};
    open_chardev("%s", "pty");
    assert_int_equal(strncmp(c->label, "pty:/dev/pts/", 13), 0);
    for (unsigned i = 0; i < 2; i++) {
        int fd = open(c->label + 4, O_RDWR | O_NOCTTY | O_NONBLOCK);
        assert_true(fd >= 0);
        say(fd, "\r", 1);
        assert_string_equal(got, i == 0 ? "\r" : "\r\r");
        put("\n");
        run_ms(20);
        assert_int_equal(read(fd, buf, sizeof(buf)), 1); /* not CR LF */
        close(fd);
        run_ms(20);
    }
}

static void wrong_option_texts_are_refused(void **state)
{
    static const char *const wrong[][2] = {
        {"unix:", "nothing after the colon"},
        {"tcp:localhost", "has no port"},
        {"tcp:host:", "has no port"},
        {"unix:/tmp/x,colour=red", "'colour' is not known here"},
        {"unix:/tmp/x,server=maybe", "neither on nor off"},
        {"udp::1", "is none of null"},
        {"pipe:/nonexistent/pipe", "/nonexistent/pipe"},
        {"tcp:127.0.0.1:nosuchservice", "nosuchservice"},
        {"tcp:127.0.0.1:65536", "a port is at most 65535"}, /* not 65536 - 65536 = any port */
        {"tcp:127.0.0.1:99999,server=on", "a port is at most 65535"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct error *err = NULL;
        assert_null(chardev_new(wrong[i][0], &loop, &err));
        if (strstr(error_text(err), wrong[i][1]) == NULL) {
            fail_msg("%s: %s", wrong[i][0], error_text(err));
        }
        error_free(err);
    }
    char longer[200] = "unix:/tmp/";
    struct error *err = NULL;
    memset(longer + strlen(longer), 'x', 150);
    assert_null(chardev_new(longer, &loop, &err));
    assert_non_null(strstr(error_text(err), "at most 107 bytes"));
    error_free(err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_server_serves_one_client_after_the_other),
        TEST(a_socket_goes_with_its_server),
        TEST(a_file_is_not_taken_for_a_stale_socket),
        TEST(input_waits_for_room),
        TEST(more_output_waits_if_the_front_end_says_so),
        TEST(without_a_host_only_this_one_gets_in),
        TEST(telnet_commands_are_no_input),
        TEST(a_client_connects_to_a_server),
        TEST(fifos_carry_both_ways),
        TEST(a_pty_is_raw_and_survives_its_users),
        TEST(wrong_option_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
