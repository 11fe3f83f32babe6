// The waits in C. Usage: bench WORK WATCHED READY MILLISECONDS; prints the nanoseconds that one operation takes.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int watched, ready, *fds;

static void check(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static int watch(int fd, int epfd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	if (epfd < 0)
		check((epfd = epoll_create1(EPOLL_CLOEXEC)) >= 0, "epoll_create1");
	check(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
	return epfd;
}

static int epfd = -1;
static struct epoll_event *events;

static void epoll_setup(void)
{
	events = calloc(watched, sizeof *events);
	for (int i = 0; i < watched; i++)
		epfd = watch(fds[i], epfd);
}

static void epoll_work(long n)
{
	while (n-- > 0)
		check(epoll_wait(epfd, events, watched, 0) == ready, "epoll_wait");
}

static struct pollfd *entries, *polled;

static void poll_setup(void)
{
	entries = calloc(watched, sizeof *entries);
	polled = calloc(watched, sizeof *polled);
	for (int i = 0; i < watched; i++)
		entries[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
}

static void poll_work(long n)
{
	while (n-- > 0) {
		int count = poll(entries, watched, 0), found = 0;
		for (int i = 0; i < watched; i++)
			if (entries[i].revents != 0)
				polled[found++] = entries[i];
		check(count == ready && found == ready, "poll");
	}
}

static fd_set all;
static int *readable;

static void select_setup(void)
{
	check(fds[watched - 1] < FD_SETSIZE, "FD_SETSIZE");
	readable = calloc(watched, sizeof *readable);
	for (int i = 0; i < watched; i++)
		FD_SET(fds[i], &all);
}

static void select_work(long n)
{
	while (n-- > 0) {
		fd_set set = all;
		struct timeval timeout = {0, 0};
		int count = select(fds[watched - 1] + 1, &set, NULL, NULL, &timeout), found = 0;
		for (int i = 0; i < watched; i++)
			if (FD_ISSET(fds[i], &set))
				readable[found++] = fds[i];
		check(count == ready && found == ready, "select");
	}
}

static void modify_work(long n)
{
	struct epoll_event event = {.events = EPOLLOUT, .data.fd = fds[0]};
	for (; n > 0; n--, event.events ^= EPOLLIN | EPOLLOUT)
		check(epoll_ctl(epfd, EPOLL_CTL_MOD, fds[0], &event) == 0, "epoll_ctl");
}

static void register_setup(void)
{
	check((epfd = epoll_create1(EPOLL_CLOEXEC)) >= 0, "epoll_create1");
}

static void register_socket_setup(void)
{
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
	register_setup();
}

static void register_work(long n)
{
	while (n-- > 0) {
		watch(fds[0], epfd);
		check(epoll_ctl(epfd, EPOLL_CTL_DEL, fds[0], NULL) == 0, "epoll_ctl");
	}
}

static int ends[2], msec = -1, by_poll;

static void pass(int end, int epfd)
{
	struct epoll_event event;
	struct pollfd entry = {.fd = end, .events = POLLIN};
	char byte;
	check((by_poll ? poll(&entry, 1, msec) : epoll_wait(epfd, &event, 1, msec)) == 1, "wait");
	check(read(end, &byte, 1) == 1, "read");
	check(write(end, &byte, 1) == 1, "write");
}

static void *pong(void *unused)
{
	int epfd = watch(ends[1], -1);
	for (;;)
		pass(ends[1], epfd);
	return unused;
}

static void pingpong_setup(void)
{
	pthread_t thread;
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
	epfd = watch(ends[0], -1);
	check(pthread_create(&thread, NULL, pong, NULL) == 0, "pthread_create");
	check(write(ends[0], "x", 1) == 1, "write");
}

static void pingpong_1s_setup(void)
{
	msec = 1000;
	pingpong_setup();
}

static void pingpong_poll_setup(void)
{
	by_poll = 1;
	pingpong_setup();
}

static void pingpong_pinned_setup(void)
{
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	check(sched_setaffinity(0, sizeof cpus, &cpus) == 0, "sched_setaffinity");
	pingpong_setup();
}

static void pingpong_work(long n)
{
	while (n-- > 0)
		pass(ends[0], epfd);
}

static const struct {
	const char *name;
	void (*setup)(void);
	void (*work)(long n);
} works[] = {
	{"epoll", epoll_setup, epoll_work},
	{"poll", poll_setup, poll_work},
	{"select", select_setup, select_work},
	{"modify", epoll_setup, modify_work},
	{"register", register_setup, register_work},
	{"register-socket", register_socket_setup, register_work},
	{"pingpong", pingpong_setup, pingpong_work},
	{"pingpong-1s", pingpong_1s_setup, pingpong_work},
	{"pingpong-poll", pingpong_poll_setup, pingpong_work},
	{"pingpong-pinned", pingpong_pinned_setup, pingpong_work},
	{NULL},
};

static double seconds(void (*work)(long n), long n)
{
	struct timespec from, to;
	clock_gettime(CLOCK_MONOTONIC, &from);
	work(n);
	clock_gettime(CLOCK_MONOTONIC, &to);
	return (to.tv_sec - from.tv_sec) + (to.tv_nsec - from.tv_nsec) / 1e9;
}

int main(int argc, char **argv)
{
	check(argc == 5, "usage");
	watched = atoi(argv[2]);
	ready = atoi(argv[3]);
	double sample = atof(argv[4]) / 1e3, took;

	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	fds = calloc(watched + 1, sizeof *fds);
	for (long i = 0; i < watched; i++) {
		fds[i] = eventfd((i + 1) * ready / watched - i * ready / watched, EFD_CLOEXEC | EFD_NONBLOCK);
		check(fds[i] >= 0, "eventfd");
	}

	int w = 0;
	while (works[w].name && strcmp(works[w].name, argv[1]))
		w++;
	check(works[w].name != NULL, argv[1]);
	works[w].setup();
	long n = 1;
	while ((took = seconds(works[w].work, n)) < sample / 5)
		n *= 2;
	n = n * sample / took + 1;
	printf("%f\n", seconds(works[w].work, n) / n * 1e9);
}
