#!/usr/bin/perl
# hostile.pl WHO TOOLBOX: what a package could try in a build to change the toolbox at /.native, or anything outside its namespace.
#
# TOOLBOX is where the toolbox lies on the machine. Prints "held: …" for each attempt that was refused, "BROKEN: …" for each that
# was not, "did: …" for what is no harm, since it has an effect on the package's own namespace only. It needs perl-base alone,
# and says WHO it was. Run it by the chroot's perl, which is emulated, and by the toolbox's own, which no emulator stands before.
use strict;
use warnings;

my ($who, $toolbox) = @ARGV;
my $emulated = unpack("x18 v", do { local $/; open(my $exe, "<", "/proc/self/exe") or die "/proc/self/exe: $!"; <$exe> }) == 183;
$who .= $emulated ? " emulated" : " native";
# asm/unistd_64.h and asm-generic/unistd.h
my %number = $emulated
    ? (mount => 40, umount2 => 39, unshare => 97, mknodat => 33, setxattr => 5)
    : (mount => 165, umount2 => 166, unshare => 272, mknodat => 259, setxattr => 188);
@number{qw(open_tree move_mount mount_setattr)} = (428, 429, 442);
use constant {
    MS_RDONLY => 1, MS_REMOUNT => 32, MS_BIND => 4096, MS_MOVE => 8192, MS_REC => 16384, MS_PRIVATE => 1 << 18,
    NEWNS => 0x20000, NEWUSER => 0x10000000, AT_FDCWD => -100, DETACH => 2, OPEN_TREE_CLONE => 1, AT_EMPTY_PATH => 0x1000,
};
$| = 1;
my $scratch = "/tmp/hostile.$$";
mkdir $scratch;

sub report { my ($how, $what) = @_; print "$how: $who: $what\n" }
sub call { my ($name, @words) = @_; syscall($number{$name}, @words) == 0 }
sub mounted { my ($source, $target, $type, $flags) = @_; call("mount", $source, $target, $type, $flags, 0) }

# Tries something that must be refused.
sub refused {
    my ($what, $code) = @_;
    $! = 0;
    $code->() ? report("BROKEN", $what) : report("held", "$what ($!)");
}

# Does something in a process of its own, which may change its root and its namespaces.
sub apart {
    my $code = shift;
    defined(my $child = fork) or die "fork: $!";
    if (!$child) { $code->(); exit 0 }
    waitpid $child, 0;
    report("BROKEN", "a part ended with $?") if $?;
}

sub opens { my ($mode, $path) = @_; open(my $file, $mode, $path) or return 0; close $file }

sub change_files {
    my ($at, $how) = @_;
    my $file = "$at/root/etc/passwd";
    my $into = "$scratch/link";
    refused("$how: write to $_", sub { opens("+<", "$at/$_") && opens(">>", "$at/$_") })
        for qw(qemu dispatch root/usr/bin/dash root/etc/passwd root/var/log/wtmp);
    refused("$how: truncate", sub { truncate $file, 0 });
    refused("$how: create in $_", sub { opens(">", "$at/$_/evil") }) for qw(. map root root/usr/bin root/var/mail root/tmp);
    refused("$how: mkdir", sub { mkdir "$at/evil" });
    refused("$how: symlink", sub { symlink "/tmp", "$at/evil" });
    refused("$how: link in", sub { link $file, "$at/evil" });
    refused("$how: link out", sub { link $file, $into });
    refused("$how: rename", sub { rename $file, "$at/evil" });
    refused("$how: rename out", sub { rename $file, $into });
    refused("$how: unlink", sub { unlink $file });
    refused("$how: rmdir", sub { rmdir "$at/root/tmp" });
    refused("$how: chmod", sub { chmod 04755, $file });
    refused("$how: chmod of the directory", sub { chmod 0777, $at });
    refused("$how: chown", sub { chown $>, $) + 0, $file });
    refused("$how: utime", sub { utime 1, 1, $file });
    refused("$how: setxattr", sub { call("setxattr", $file, "user.evil", "1", 1, 0) });
    refused("$how: mknod", sub { call("mknodat", AT_FDCWD, "$at/null", 020666, 0x103) });
    # The groups that own files in a root are among those of the chroot, where root may have them all.
    my %groups = map { (stat)[5] => $_ } grep { -e } map { glob "$at/root/$_" } "var/*", "var/log/*", "usr/bin/*", "usr/sbin/*";
    for my $group (grep { $_ != 65534 && $_ != 0 } sort keys %groups) {
        apart(sub {
            $) = "$group $group";
            refused("$how: as group $group write to $groups{$group}",
                sub { -d $groups{$group} ? opens(">", "$groups{$group}/evil") : opens(">>", $groups{$group}) });
        });
    }
}

# Other names of the same files, as every process here has them.
sub change_through_proc {
    open(my $file, "<", "/.native/root/etc/passwd") or die "passwd: $!";
    refused("reopen a file that is open", sub { opens("+<", "/proc/self/fd/" . fileno $file) });
    refused("chmod a file that is open", sub { chmod 04755, $file });
    opendir(my $place, "/.native") or die "/.native: $!";
    refused("create by an open directory", sub { opens(">", "/proc/self/fd/" . fileno($place) . "/evil") });
    for my $process (glob "/proc/[0-9]*") {
        for my $way ("root/.native", "cwd/.native", "root$toolbox", "root/run/.old$toolbox") {
            my $there = "$process/$way";
            refused("write by $way of a process", sub { opens("+<", "$there/root/etc/passwd") || opens(">", "$there/evil") });
        }
        for my $open (glob "$process/fd/* $process/map_files/* $process/exe") {
            my $path = readlink $open;
            next unless defined $path && $path =~ m{^/.*/(qemu|dispatch)$|^\Q$toolbox\E|^/\.native/};
            refused("reopen what a process has open", sub { opens("+<", $open) });
        }
    }
}

# What lies beside the toolbox, all others and what the cache knows of them.
sub change_shelf {
    my ($how) = @_;
    my ($shelf, $name) = $toolbox =~ m{^(.*)/([^/]+)$};
    my $change = sub {
        refused("$how: create beside the toolbox", sub { opens(">", "$shelf/evil") });
        refused("$how: rename the toolbox", sub { rename $toolbox, "$shelf/evil" });
        refused("$how: replace what the cache knows of it", sub { opens("+<", "$shelf/$name.json") });
        refused("$how: chmod of the shelf", sub { chmod 0777, $shelf });
        refused("$how: rename the shelf", sub { rename $shelf, "$shelf.evil" });
    };
    $change->();
    call("unshare", NEWNS);
    refused("$how: remount the shelf", sub { mounted("none", $shelf, "none", MS_REMOUNT | MS_BIND) });
    for (1 .. 8) { call("umount2", $shelf, DETACH) or last; report("did", "$how: umount the shelf") }
    $change->();
}

# Whether what is mounted there can be made writable: it is tried in every way the kernel has.
sub change_mount {
    my ($at, $how) = @_;
    my $other = "$scratch/mount";
    mkdir $other;
    my $sure = sub { opens("+<", "$_[0]/root/etc/passwd") || opens(">", "$_[0]/evil") };
    refused("$how: remount the mount", sub { mounted("none", $at, "none", MS_REMOUNT | MS_BIND) });
    refused("$how: remount the file system", sub { mounted("none", $at, "none", MS_REMOUNT) });
    refused("$how: and write", sub { $sure->($at) });
    my $attributes = pack("Q4", 0, 1 | 2 | 4, 0, 0);    # cleared: MOUNT_ATTR_RDONLY, _NOSUID, _NODEV
    refused("$how: mount_setattr", sub { call("mount_setattr", AT_FDCWD, $at, 0, $attributes, 32) });
    for my $source ($at, "$at/root") {
        next unless mounted($source, $other, "none", MS_BIND | MS_REC);
        report("did", "$how: bind $source elsewhere");
        refused("$how: remount the copy of $source", sub { mounted("none", $other, "none", MS_REMOUNT | MS_BIND) });
        refused("$how: and write to it", sub { $sure->($other) || opens(">", "$other/tmp/evil") });
        call("umount2", $other, DETACH);
    }
    my $tree = syscall($number{open_tree}, AT_FDCWD, my $path = $at, OPEN_TREE_CLONE);
    if ($tree >= 0) {
        report("did", "$how: open_tree");
        refused("$how: mount_setattr of the tree", sub { call("mount_setattr", $tree, "", AT_EMPTY_PATH, $attributes, 32) });
        refused("$how: write by the tree", sub { opens(">", "/proc/self/fd/$tree/evil") });
    }
    if (mounted($at, $other, "none", MS_MOVE)) {
        report("did", "$how: move it");
        refused("$how: write where it was moved to", sub { $sure->($other) });
    }
    if (mounted("tmpfs", $at, "tmpfs", 0)) {
        report("did", "$how: mount over it") if opens(">", "$at/evil");
        call("umount2", $at, DETACH);
    }
}

# Below the mount there may be nothing of the toolbox.
sub uncover {
    my ($at, $how) = @_;
    for (1 .. 8) { call("umount2", $at, DETACH) or last; report("did", "$how: umount it") }
    refused("$how: write to what was below", sub { opens("+<", "$at/root/etc/passwd") || opens(">", "$at/root/tmp/evil") });
}

# Becomes root of a namespace of its own, as every user may, but for who has changed his root.
sub enter_user_namespace {
    my ($id, $group) = ($>, $) + 0);
    call("unshare", NEWUSER | NEWNS) or return 0;
    for (["setgroups", "deny"], ["uid_map", "0 $id 1"], ["gid_map", "0 $group 1"]) {
        open(my $map, ">", "/proc/self/$$_[0]") or return 0;
        syswrite $map, $$_[1] or return 0;
    }
    return 1;
}

# chroot(2) moves no working directory, so from one outside the new root the way leads up to the namespace's own.
sub leave_chroot {
    mkdir "$scratch/root";
    chdir "/" && chroot "$scratch/root" or return 0;
    chdir ".." for 1 .. 64;
    return chroot(".") && -d "/etc" && !-e "/.native/qemu";
}

sub mount_points {
    open(my $table, "<", "/proc/self/mountinfo") or return;
    return grep { -e "$_/dispatch" } map { (split)[4] } <$table>;
}

# Handlers of its own are no harm; the machine's, or those of the namespace around, would be. Where it has some of its own, only
# these count: so one of them is as the one around, or its build could start no other program.
sub change_handlers {
    my ($how) = @_;
    my $place = "/proc/sys/fs/binfmt_misc";
    my ($dispatcher) = grep { -e } "/.native/dispatch", map { "$_/dispatch" } mount_points();
    my $magic = '\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0';
    my $mask = '\xff\xff\xff\xff\xff\xff\xff\0\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff';
    s/\\0/\\x00/g for $magic, $mask;
    my $entry = ":hostile:M::$magic:$mask:$dispatcher:POF";
    my $writes = sub { my ($name, $text) = @_; open(my $file, ">", "$place/$name") or return 0; syswrite $file, $text };
    my $disables = sub {
        my @done = grep { $writes->($_, "0") } "status", map { m{([^/]+)$} } glob "$place/*-*";
        $writes->($_, "1") for @done;
        return @done;
    };
    if (!-e "$place/hostile") {
        refused("$how: disable the handlers that are seen", $disables);
        refused("$how: register with them", sub { $writes->("register", $entry) });
    }
    return unless mounted("binfmt_misc", $place, "binfmt_misc", 0);
    report("did", "$how: register a handler") if $writes->("register", $entry);
    report("did", "$how: disable its own handlers, and enable them") if $disables->();
}

my $owner = (stat "/.native/dispatch")[4];
report("owner", $owner);
apart(sub { change_files("/.native", "as it is") });
apart(\&change_through_proc);
apart(sub {
    call("unshare", NEWNS);
    change_mount("/.native", "in a copy of its mounts");
});
apart(sub {
    call("unshare", NEWNS);
    uncover("/.native", "in a copy of its mounts");
});
apart(sub {
    enter_user_namespace() or return report("held", "user namespace ($!)");
    change_files("/.native", "in a user namespace");
    change_mount("/.native", "in a user namespace");
    uncover("/.native", "in a user namespace");
});
apart(sub {
    leave_chroot() or return report("held", "leave the chroot ($!)");
    report("did", "leave the chroot");
    mkdir $scratch;
    change_files($toolbox, "from outside the chroot");
    apart(sub { change_shelf("from outside the chroot") });
    # Where the caller himself is root in here, what is his is so too, with a toolbox or without.
    if ($owner != $>) {
        refused("write to the machine's own files", sub { opens("+<", "/etc/passwd") || opens(">", "/etc/evil") });
        refused("change the kernel's settings", sub { opens("+<", "/proc/sys/kernel/core_pattern") });
    }
    change_handlers("outside the chroot");
    for my $place (mount_points()) {
        apart(sub { change_files($place, "a mount outside the chroot") });
        for my $change (\&change_mount, \&uncover) {
            apart(sub { call("unshare", NEWNS); $change->($place, "a mount outside the chroot") });
        }
        apart(sub {
            enter_user_namespace() or return report("held", "user namespace outside the chroot ($!)");
            change_mount($place, "a mount outside the chroot, in a user namespace");
            change_handlers("outside the chroot, in a user namespace");
        });
    }
    rmdir $_ for glob("$scratch/*"), $scratch;
});
apart(sub {
    enter_user_namespace() or return report("held", "user namespace for handlers ($!)");
    change_handlers("in a user namespace");
});
report("done", scalar(localtime));
