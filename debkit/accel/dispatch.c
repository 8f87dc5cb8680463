/* aarch64 binfmt_misc dispatcher: run the native twin of an arm64 tool if the
 * curated map has one, else qemu.  Freestanding, no libc.  Registered POF:
 * argv = [interp, path, argv0, args...], AT_EXECFD = open binary. */
#include <sys/syscall.h>
#include <linux/elf.h>
#include <linux/stat.h>
#include <linux/fcntl.h>
#include <linux/auxvec.h>
typedef unsigned long ul; typedef long sl;
#define N "/.native"
#define QEMU N "/qemu"
static inline sl sc6(sl n, sl a, sl b, sl c, sl d, sl e, sl f){ sl r;
 register sl r10 __asm__("r10")=d; register sl r8 __asm__("r8")=e; register sl r9 __asm__("r9")=f;
 __asm__ volatile("syscall":"=a"(r):"a"(n),"D"(a),"S"(b),"d"(c),"r"(r10),"r"(r8),"r"(r9):"rcx","r11","memory"); return r;}
#define sc(n,a,b,c,d) sc6(n,(sl)(a),(sl)(b),(sl)(c),(sl)(d),0,0)
void *memcpy(void*d,const void*s,ul n){char*a=d;const char*b=s;while(n--)*a++=*b++;return d;}
void *memset(void*d,int c,ul n){char*a=d;while(n--)*a++=c;return d;}
static ul len(const char*s){ul n=0;while(s[n])n++;return n;}
static int eq(const char*a,const char*b){while(*a&&*a==*b)a++,b++;return *a==*b;}
static int pre(const char*s,const char*p){while(*p)if(*s++!=*p++)return 0;return 1;}
static int suf(const char*s,const char*p){ul a=len(s),b=len(p);return a>=b&&eq(s+a-b,p);}
static const char*find(const char*h,const char*n){for(;*h;h++)if(pre(h,n))return h;return 0;}
static const char*base(const char*p){const char*b=p;for(;*p;p++)if(*p=='/')b=p+1;return b;}
static char*app(char*d,const char*s){while(*s)*d++=*s++;*d=0;return d;}
static int inlist(const char*s,const char*const*l){for(;*l;l++)if(eq(s,*l))return 1;return 0;}
static char**g_env;
static const char*env(const char*k){ul n=len(k);for(char**e=g_env;*e;e++)if(pre(*e,k)&&(*e)[n]=='=')return *e+n+1;return 0;}

/* build-id of the ELF behind fd, hex into out (16 chars); 0 if none */
static int buildid(int fd,char*out){
 static unsigned char b[2048]; sl n=sc(SYS_pread64,fd,b,sizeof b,0); if(n<64)return 0;
 Elf64_Ehdr*h=(void*)b; if(h->e_phoff+h->e_phnum*56ul>(ul)n)return 0; Elf64_Phdr*p=(void*)(b+h->e_phoff);
 for(int i=0;i<h->e_phnum;i++,p++){ if(p->p_type!=PT_NOTE)continue;
  ul o=p->p_offset,e=o+p->p_filesz; if(e>(ul)n)continue;
  while(o+12<=e){unsigned*w=(void*)(b+o);ul ns=(w[0]+3)&~3u,ds=(w[1]+3)&~3u; if(o+12+ns+ds>e)break;
   if(w[2]==3&&w[0]==4&&w[1]>=8){unsigned char*d=b+o+12+ns;static const char x[]="0123456789abcdef";
    for(int k=0;k<8;k++){out[2*k]=x[d[k]>>4];out[2*k+1]=x[d[k]&15];}out[16]=0;return 1;}
   o+=12+ns+ds;}}
 return 0;}

/* LD_PRELOAD: every entry must be something we also have natively */
static int preload_ok(void){const char*p=env("LD_PRELOAD"); if(!p)return 1;
 while(*p){while(*p==' '||*p==':')p++; if(!*p)break;
  const char*q=p;while(*q&&*q!=' '&&*q!=':')q++; const char*f=find(p,"libfakeroot"),*g=find(p,"libeatmydata");
  if(!((f&&f<q&&*p!='/')||(g&&g<q&&*p!='/')))return 0; p=q;} return 1;}

static int gcc_ok(char**a){ for(;*a;a++){const char*s=*a; if(*s=='@')return 0; if(*s!='-')continue;
  if(pre(s,"-print")||pre(s,"-dump")||pre(s,"--")||pre(s,"-v")||eq(s,"-V")||eq(s,"-###")||eq(s,"-qversion")||pre(s,"-fplugin")
   ||pre(s,"-march=native")||pre(s,"-mcpu=native")||pre(s,"-mtune=native")||pre(s,"-wrapper")){
    if(pre(s,"-dumpbase")||pre(s,"-dumpdir")||pre(s,"--param")||pre(s,"--sysroot"))continue; return 0;}} return 1;}

static const char*const verprinters[]={"bash","make","as","ld.bfd","ld.gold",0};
static int wants_version(char**a){for(;*a;a++)if(eq(*a,"--version")||eq(*a,"-v")||eq(*a,"--help")||eq(*a,"-V"))return 1;return 0;}

static const char*const perl_ok[]={"dh","autom4te","autoheader","autoreconf","autoscan","autoupdate","ifnames","help2man","makeinfo","texi2any",
 "pod2man","pod2text","pod2usage","pod2html","po4a","po4a-translate","po4a-gettextize","po4a-updatepo","intltool-extract","intltool-merge","intltool-update","intltoolize",
 "strip-nondeterminism","frontend","update-rc.d","deb-systemd-helper","deb-systemd-invoke","chkconfig","adduser","addgroup","gtkdoc-mkdb","yat2m","shtool","prove_not",0};
static int perl_script(char**a){ /* a = args after argv0 */
 if(env("PERL5LIB")||env("PERL5OPT")||env("PERLLIB")||env("PERL5DB"))return 0;
 for(;*a&&**a=='-';a++){const char*s=*a+1; if(!*s)return 0; if(eq(*a,"--")){a++;break;}
  for(;*s;s++)if(*s!='w'&&*s!='W'&&*s!='T'&&*s!='t'&&*s!='X')return 0;}
 if(!*a)return 0; static char rp[4096],lk[64];
 sl fd=sc(SYS_openat,AT_FDCWD,*a,O_PATH|O_CLOEXEC,0); if(fd<0)return 0;
 char*d=app(lk,"/proc/self/fd/");char t[8];int n=0;do t[n++]='0'+fd%10;while(fd/=10);while(n)*d++=t[--n];*d=0;
 n=sc(SYS_readlink,lk,rp,sizeof rp-1,0); if(n<=0)return 0; rp[n]=0;
 if(!(pre(rp,"/usr/bin/")||pre(rp,"/usr/sbin/")||pre(rp,"/usr/share/debconf/")||pre(rp,"/usr/lib/")||pre(rp,"/usr/share/texinfo/")))return 0;
 const char*b=base(rp); if(pre(b,"dh_python")||eq(b,"dh_pypy"))return 0;
 if(pre(b,"dh_")||pre(b,"dpkg-")||pre(b,"aclocal")||pre(b,"automake"))return 1;
 return inlist(b,perl_ok);}

static void fputs_fd(int fd,const char*s){sc(SYS_write,fd,s,len(s),0);}
__attribute__((noreturn,used)) void start_c(ul*sp){
 int argc=(int)sp[0]; char**argv=(char**)(sp+1); char**envp=argv+argc+1; g_env=envp;
 char**e=envp;while(*e)e++; ul*aux=(ul*)(e+1); sl xfd=-1; for(;aux[0];aux+=2)if(aux[0]==AT_EXECFD)xfd=(sl)aux[1];
 if(argc<3){fputs_fd(2,"accel-dispatch: not run by binfmt_misc (flags POF)\n");sc(SYS_exit_group,127,0,0,0);}
 static char P[4096+64],M[4096+128],lk[64],id[20]; char**na=argv+2; /* argv0 args.. */
 int why=0;
 if(xfd>=0&&!env("ACCEL_OFF")){
  char*d=app(lk,"/proc/self/fd/");char t[12];int n=0;sl v=xfd;do t[n++]='0'+v%10;while(v/=10);while(n)*d++=t[--n];*d=0;
  sl r=sc(SYS_readlink,lk,P,4096,0);
  if(r>0&&r<4000&&(P[r]=0,pre(P,"/usr/"))&&buildid((int)xfd,id)){
   char*m=app(M,N "/map");m=app(m,P);m=app(m,".");app(m,id);
   static char T[4300]; sl mf=sc(SYS_openat,AT_FDCWD,M,O_RDONLY|O_CLOEXEC,0); sl tn=-1; if(mf>=0){tn=sc(SYS_read,mf,T,4200,0);sc(SYS_close,mf,0,0,0);}
   if(tn>0){ T[tn]=0; char*rule=T,*tw=T; while(*tw!='\n')tw++; *tw++=0; char*e2=tw; while(*e2!='\n')e2++; *e2=0;
    int go=preload_ok();
    if(go&&eq(rule,"compiler"))go=gcc_ok(na+1);
    else if(go&&eq(rule,"script"))go=perl_script(na+1);
    else if(go&&(eq(rule,"not-version")||eq(rule,"linker"))&&wants_version(na+1))go=0;
    const char*b=base(P); const char*tb=pre(b,"aarch64-linux-gnu-")?b+18:b;
    if(go&&(pre(tb,"ld.")||eq(tb,"ld")||eq(b,"collect2"))){
     const char*l=env("LD_LIBRARY_PATH"); if(l&&*l&&!find(l,"libfakeroot")&&!eq(b,"collect2"))go=0;
    }
    if(go){
     if(pre(tb,"ld.")||eq(tb,"ar")||eq(tb,"nm")||eq(tb,"ranlib")||eq(tb,"collect2x"))
      for(char**a=na+1;*a;a++){
       if(eq(*a,"-plugin")||eq(*a,"--plugin")){if(a[1]&&suf(a[1],"/liblto_plugin.so"))a[1]=(char*)N "/root/usr/libexec/gcc-cross/aarch64-linux-gnu/14/liblto_plugin.so";}
       else if(pre(*a,"--plugin=")&&suf(*a,"/liblto_plugin.so"))*a=(char*)"--plugin=" N "/root/usr/libexec/gcc-cross/aarch64-linux-gnu/14/liblto_plugin.so";}
     sc(SYS_close,xfd,0,0,0);
     sl rc=sc(SYS_execve,tw,na,envp,0); (void)rc; why=1; xfd=-1;
    }}}}
 if(xfd>=0)sc(SYS_close,xfd,0,0,0);
#ifdef TRACE
 {int fd=(int)sc(SYS_openat,AT_FDCWD,N "/trace",O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC,0666);if(fd>=0){static char L[8192];char*d=app(L,P);
  for(char**a=na;*a&&d<L+4000;a++){ul n=len(*a);if(n>200)break;d=app(d," ");d=app(d,*a);}d=app(d,"\n");sc(SYS_write,fd,L,d-L,0);sc(SYS_close,fd,0,0,0);}}
#endif
 (void)why;
 /* qemu -0 argv0 path args: version independent (a direct exec has no AT_FLAGS_PRESERVE_ARGV0 nor the -binfmt-P name) */
 char*path=argv[1],*a0=argv[2],**qa=(char**)sp; qa[0]=(char*)"qemu-aarch64"; qa[1]=(char*)"-0"; qa[2]=a0; qa[3]=path;
 sl rc=sc(SYS_execve,QEMU,qa,envp,0);
 rc=sc(SYS_execve,"/usr/bin/qemu-aarch64-static",qa,envp,0);
 fputs_fd(2,"accel-dispatch: cannot exec qemu\n"); (void)rc; sc(SYS_exit_group,126,0,0,0); __builtin_unreachable();}
__asm__(".globl _start\n_start:\n xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call start_c\n");
