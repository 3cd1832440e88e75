import com.google.gson.Gson;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * Makes calls with grpc-java over netty: {@code GrpcJavaClient CERT}.
 *
 * <p>It encodes no messages: all of them are empty, or of no interest. The cases are explained in case.ts.
 */
final class GrpcJavaClient {
  private static final class Case {
    String id;
    double startMs;
    String target;
    boolean tls;
    String kind;
    String path;
    double deadlineMs;
    double cancelAfterMs;
    boolean cold;
    String how;
    Map<String, String> headers;
  }

  private record Outcome(String id, int code, double ms, double lateMs, String message) {}

  private static final Gson GSON = new Gson();
  private static final ScheduledExecutorService TIMERS = Executors.newScheduledThreadPool(2);

  private static final MethodDescriptor.Marshaller<byte[]> BYTES =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(byte[] value) {
          return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
          try {
            return stream.readAllBytes();
          } catch (IOException error) {
            throw new IllegalStateException(error);
          }
        }
      };

  private GrpcJavaClient() {}

  public static void main(String[] args) throws Exception {
    File certificate = new File(args[0]);
    List<Case> cases = new ArrayList<>();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null && !line.isEmpty(); line = lines.readLine()) {
      cases.add(GSON.fromJson(line, Case.class));
    }
    Map<String, ManagedChannel> shared = warmUp(cases, certificate);
    CountDownLatch open = new CountDownLatch(cases.size());
    System.out.println("ready");
    // Calls begin when the standard input ends.
    lines.readLine();
    long begin = System.nanoTime();
    for (Case one : cases) {
      long wait = (long) (one.startMs * 1e6) - (System.nanoTime() - begin);
      TIMERS.schedule(
          () -> {
            long start = System.nanoTime();
            ManagedChannel channel = one.cold ? connect(one, certificate) : shared.get(one.target);
            call(
                channel,
                one,
                status -> {
                  double took = (System.nanoTime() - start) / 1e6;
                  double late = (start - begin) / 1e6 - one.startMs;
                  int code = status.getCode().value();
                  print(new Outcome(one.id, code, took, late, status.getDescription()));
                  if (one.cold) {
                    channel.shutdown();
                  }
                  open.countDown();
                });
          },
          wait,
          TimeUnit.NANOSECONDS);
    }
    open.await();
    System.exit(0);
  }

  private static synchronized void print(Outcome outcome) {
    System.out.println(GSON.toJson(outcome));
  }

  /** Opens the connections that calls share, and lets the virtual machine load and compile what calls need. */
  private static Map<String, ManagedChannel> warmUp(List<Case> cases, File certificate) throws Exception {
    Map<String, ManagedChannel> shared = new HashMap<>();
    for (Case one : cases) {
      if (one.cold || shared.containsKey(one.target)) {
        continue;
      }
      shared.put(one.target, connect(one, certificate));
      answer(shared.get(one.target), one, 20);
    }
    if (!cases.isEmpty()) {
      ManagedChannel channel = connect(cases.get(0), certificate);
      answer(channel, cases.get(0), 200);
      channel.shutdown();
    }
    return shared;
  }

  /** Makes calls that are answered at once, all at the same time. */
  private static void answer(ManagedChannel channel, Case like, int times) throws Exception {
    Case warm = new Case();
    warm.kind = "unary";
    warm.how = like.how;
    warm.path = "/example.account.v1.AccountService/ChangePassword";
    warm.deadlineMs = 10_000;
    warm.headers = Map.of("x-case-handler", "answer");
    CountDownLatch open = new CountDownLatch(times);
    for (int time = 0; time < times; time++) {
      call(
          channel,
          warm,
          status -> {
            if (!status.isOk()) {
              System.err.println("warm-up: " + status);
            }
            open.countDown();
          });
    }
    open.await();
  }

  private static ManagedChannel connect(Case one, File certificate) {
    NettyChannelBuilder builder = NettyChannelBuilder.forTarget("dns:///" + one.target);
    if (!one.tls) {
      return builder.usePlaintext().build();
    }
    try {
      return builder.sslContext(GrpcSslContexts.forClient().trustManager(certificate).build()).build();
    } catch (IOException error) {
      throw new IllegalStateException(error);
    }
  }

  private static MethodDescriptor.MethodType typeOf(String kind) {
    return MethodDescriptor.MethodType.valueOf(kind.toUpperCase());
  }

  private static void call(ManagedChannel channel, Case one, Consumer<Status> end) {
    MethodDescriptor<byte[], byte[]> method =
        MethodDescriptor.newBuilder(BYTES, BYTES)
            .setFullMethodName(one.path.substring(1))
            .setType(typeOf(one.kind))
            .build();
    CallOptions options = CallOptions.DEFAULT;
    if (one.deadlineMs > 0) {
      options = options.withDeadlineAfter((long) (one.deadlineMs * 1e6), TimeUnit.NANOSECONDS);
    }
    Metadata headers = new Metadata();
    one.headers.forEach((name, value) -> headers.put(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER), value));
    ClientCall<byte[], byte[]> call = channel.newCall(method, options);
    long begin = System.nanoTime();
    Future<?>[] cancel = new ScheduledFuture<?>[1];
    AtomicBoolean isOver = new AtomicBoolean();
    Consumer<Status> endOnce =
        status -> {
          if (isOver.compareAndSet(false, true)) {
            end.accept(status);
          }
        };
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onMessage(byte[] message) {
            call.request(1);
          }

          @Override
          public void onClose(Status status, Metadata trailers) {
            if (cancel[0] != null) {
              cancel[0].cancel(false);
            }
            endOnce.accept(status);
          }
        },
        headers);
    // A call that is cancelled before its start would not start.
    if (one.cancelAfterMs > 0) {
      long after = (long) (one.cancelAfterMs * 1e6) - (System.nanoTime() - begin);
      Runnable leave =
          () -> {
            call.cancel("cancelled", null);
            // A call that is cancelled while its channel starts it fails inside grpc-java, which then tells its listener nothing.
            TIMERS.schedule(() -> endOnce.accept(Status.CANCELLED), 5, TimeUnit.SECONDS);
          };
      cancel[0] = TIMERS.schedule(leave, after, TimeUnit.NANOSECONDS);
    }
    call.request(2);
    try {
      call.sendMessage(new byte[0]);
      if (!"keep-sending".equals(one.how)) {
        call.halfClose();
      }
    } catch (IllegalStateException error) {
      // The call was cancelled in the meantime. Its listener is told.
    }
  }
}
