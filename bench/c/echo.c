// An echo server on epoll. Usage: echo PORT.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static void watch(int epfd, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	check(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);

	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), epfd = epoll_create1(EPOLL_CLOEXEC);
	check(listener >= 0 && epfd >= 0 && argc >= 2, "socket, epoll_create1");
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	check(bind(listener, (struct sockaddr *)&addr, sizeof addr) == 0, "bind");
	check(listen(listener, SOMAXCONN) == 0, "listen");
	watch(epfd, listener);

	static struct epoll_event events[1024];
	static char buf[16 << 10];
	for (;;) {
		int n = epoll_wait(epfd, events, 1024, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				int conn = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
				if (conn >= 0)
					watch(epfd, conn);
				continue;
			}
			ssize_t size = read(fd, buf, sizeof buf);
			if (size <= 0 || write(fd, buf, size) != size)
				close(fd);
		}
	}
}
