using System.Diagnostics;
using System.Runtime.InteropServices;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Benchmarks;

/// <summary>The three products of a convolution in a training step, layer by layer, row-major and on blocks of channels, weights packed in each run. Prints a Markdown table in GFLOP/s of direct work.</summary>
/// <remarks>The time of a route is its shortest of all rounds, in which the routes take turns: other work on the machine only adds.</remarks>
internal static unsafe class TrainingConvolutions
{
    private const int Rounds = 5;
    private const double WorkPerRound = 1e9; // multiply-adds: some ten milliseconds

    private static readonly (string Name, Conv2DShape Shape)[] Shapes =
    [
        ("ResNet-20 b128, 3x3, 3-16 at 32", Conv2DShape.Square(128, 3, 32, 16, 3, pad: 1)),
        ("ResNet-20 b128, 3x3, 16 at 32", Conv2DShape.Square(128, 16, 32, 16, 3, pad: 1)),
        ("ResNet-20 b128, 3x3 stride 2, 16-32 at 32", Conv2DShape.Square(128, 16, 32, 32, 3, stride: 2, pad: 1)),
        ("ResNet-20 b128, 3x3, 32 at 16", Conv2DShape.Square(128, 32, 16, 32, 3, pad: 1)),
        ("ResNet-20 b128, 3x3 stride 2, 32-64 at 16", Conv2DShape.Square(128, 32, 16, 64, 3, stride: 2, pad: 1)),
        ("ResNet-20 b128, 3x3, 64 at 8", Conv2DShape.Square(128, 64, 8, 64, 3, pad: 1)),
        ("ResNet-18 b8, 7x7 stride 2, 3-64 at 224", Conv2DShape.Square(8, 3, 224, 64, 7, stride: 2, pad: 3)),
        ("ResNet-18 b8, 3x3, 64 at 56", Conv2DShape.Square(8, 64, 56, 64, 3, pad: 1)),
        ("ResNet-18 b8, 3x3 stride 2, 64-128 at 56", Conv2DShape.Square(8, 64, 56, 128, 3, stride: 2, pad: 1)),
        ("ResNet-18 b8, 1x1 stride 2, 64-128 at 56", Conv2DShape.Square(8, 64, 56, 128, 1, stride: 2)),
        ("ResNet-18 b8, 3x3, 128 at 28", Conv2DShape.Square(8, 128, 28, 128, 3, pad: 1)),
        ("ResNet-18 b8, 3x3 stride 2, 128-256 at 28", Conv2DShape.Square(8, 128, 28, 256, 3, stride: 2, pad: 1)),
        ("ResNet-18 b8, 3x3, 256 at 14", Conv2DShape.Square(8, 256, 14, 256, 3, pad: 1)),
        ("ResNet-18 b8, 3x3 stride 2, 256-512 at 14", Conv2DShape.Square(8, 256, 14, 512, 3, stride: 2, pad: 1)),
        ("ResNet-18 b8, 3x3, 512 at 7", Conv2DShape.Square(8, 512, 7, 512, 3, pad: 1)),
        ("MobileNetV2 b8, 3x3 stride 2, 3-32 at 224", Conv2DShape.Square(8, 3, 224, 32, 3, stride: 2, pad: 1)),
        ("MobileNetV2 b8, depthwise, 32 at 112", Conv2DShape.Square(8, 32, 112, 32, 3, pad: 1, groups: 32)),
        ("MobileNetV2 b8, 1x1, 32-16 at 112", Conv2DShape.Square(8, 32, 112, 16, 1)),
        ("MobileNetV2 b8, 1x1, 16-96 at 112", Conv2DShape.Square(8, 16, 112, 96, 1)),
        ("MobileNetV2 b8, depthwise stride 2, 96 at 112", Conv2DShape.Square(8, 96, 112, 96, 3, stride: 2, pad: 1, groups: 96)),
        ("MobileNetV2 b8, 1x1, 24-144 at 56", Conv2DShape.Square(8, 24, 56, 144, 1)),
        ("MobileNetV2 b8, depthwise, 144 at 56", Conv2DShape.Square(8, 144, 56, 144, 3, pad: 1, groups: 144)),
        ("MobileNetV2 b8, 1x1, 144-24 at 56", Conv2DShape.Square(8, 144, 56, 24, 1)),
        ("MobileNetV2 b8, 1x1, 64-384 at 14", Conv2DShape.Square(8, 64, 14, 384, 1)),
        ("MobileNetV2 b8, depthwise, 384 at 14", Conv2DShape.Square(8, 384, 14, 384, 3, pad: 1, groups: 384)),
        ("MobileNetV2 b8, 1x1, 576-96 at 14", Conv2DShape.Square(8, 576, 14, 96, 1)),
        ("MobileNetV2 b8, depthwise stride 2, 576 at 14", Conv2DShape.Square(8, 576, 14, 576, 3, stride: 2, pad: 1, groups: 576)),
        ("MobileNetV2 b8, depthwise, 960 at 7", Conv2DShape.Square(8, 960, 7, 960, 3, pad: 1, groups: 960)),
        ("MobileNetV2 b8, 1x1, 320-1280 at 7", Conv2DShape.Square(8, 320, 7, 1280, 1)),
        ("RegNetX b8, 3x3 groups of 24 stride 2, 48 at 112", Conv2DShape.Square(8, 48, 112, 48, 3, stride: 2, pad: 1, groups: 2)),
        ("RegNetX b8, 3x3 groups of 24, 96 at 28", Conv2DShape.Square(8, 96, 28, 96, 3, pad: 1, groups: 4)),
        ("RegNetX b8, 3x3 groups of 24, 240 at 14", Conv2DShape.Square(8, 240, 14, 240, 3, pad: 1, groups: 10)),
        ("RegNetX b8, 3x3 groups of 24, 528 at 7", Conv2DShape.Square(8, 528, 7, 528, 3, pad: 1, groups: 22)),
        ("RegNetX b8, 3x3 groups of 48, 192 at 28", Conv2DShape.Square(8, 192, 28, 192, 3, pad: 1, groups: 4)),
    ];

    /// <param name="threads">Threads.</param>
    /// <param name="part">Only layers whose name holds this.</param>
    /// <param name="output">Takes the table.</param>
    public static void Run(int threads, string part, TextWriter output)
    {
        Workers.ThreadCount = threads;
        output.WriteLine($"Kernel path {KernelPaths.Active}, {threads} thread(s), GFLOP/s of direct work.");
        output.WriteLine("| layer | forward: rows | blocks | Winograd | data: rows | blocks | Winograd | weights: rows | blocks | Winograd |");
        output.WriteLine("|---|---|---|---|---|---|---|---|---|---|");
        foreach ((string name, Conv2DShape shape) in Shapes.Where(s => s.Name.Contains(part, StringComparison.Ordinal))) output.WriteLine(Row(name, shape));
    }

    private static string Row(string name, Conv2DShape shape)
    {
        double work = (double)shape.Batch * shape.OutChannels * shape.OutPlane * shape.Inner;
        int repeats = (int)Math.Clamp(WorkPerRound / work, 1, 50);
        using var layer = new Layer(shape);
        Action?[] routes = layer.Routes();
        double[] shortest = new double[routes.Length];
        shortest.AsSpan().Fill(double.PositiveInfinity);
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < routes.Length; i++)
            {
                if (routes[i] is not { } run) continue;
                run();
                for (int repeat = 0; repeat < repeats; repeat++)
                {
                    long start = Stopwatch.GetTimestamp();
                    run();
                    shortest[i] = Math.Min(shortest[i], Stopwatch.GetElapsedTime(start).TotalSeconds);
                }
            }
        }
        return $"| {name} | {string.Join(" | ", shortest.Select(time => double.IsInfinity(time) ? "" : $"{2e-9 * work / time:F0}"))} |";
    }

    /// <summary>Buffers of one layer and a delegate for each route; null where the route does not take the shape.</summary>
    private sealed class Layer : IDisposable
    {
        private readonly List<nint> _memory = [];
        private readonly Conv2DShape _shape;
        private readonly float* _x, _dx, _y, _w, _dw;

        public Layer(Conv2DShape shape)
        {
            _shape = shape;
            long inputs = ChannelBlocks.Floats(shape.Batch, shape.InChannels, shape.InPlane), outputs = ChannelBlocks.Floats(shape.Batch, shape.OutChannels, shape.OutPlane);
            _x = Allocate(inputs);
            _dx = Allocate(inputs);
            _y = Allocate(outputs);
            _w = Allocate((long)shape.OutChannels * shape.Inner);
            _dw = Allocate((long)shape.OutChannels * shape.Inner);
        }

        public Action?[] Routes() =>
        [
            ForwardRows(), ForwardBlocks(), ForwardWinograd(), DataRows(), Data(false), IsWinogradData ? Data(true) : null, WeightsRows(), Weights(false), WinogradBackwardWeights.Fits(_shape) ? Weights(true) : null,
        ];

        public void Dispose()
        {
            foreach (nint memory in _memory) NativeMemory.AlignedFree((void*)memory);
        }

        private bool IsPlanar => PlanarBlockedConv2D.Fits(_shape);

        private bool IsWinogradData => BlockedConvBackwardData.Fits(_shape) && BlockedConvBackwardData.ScratchBytes(_shape, true) != BlockedConvBackwardData.ScratchBytes(_shape, false);

        private Action ForwardRows()
        {
            float* packed = AllocateBytes(Conv2D.PackedWeightBytes(_shape)), scratch = AllocateBytes(Conv2D.ScratchBytes(_shape));
            return () =>
            {
                Conv2D.PackWeights(_shape, _w, packed);
                Conv2D.Run(_shape, _x, packed, default, _y, scratch);
            };
        }

        private Action? ForwardBlocks()
        {
            if (!IsPlanar && !BlockedConv2D.Fits(_shape)) return null;
            float* packed = AllocateBytes(IsPlanar ? PlanarBlockedConv2D.PackedWeightBytes(_shape) : BlockedConv2D.PackedWeightBytes(_shape));
            if (IsPlanar)
            {
                return () =>
                {
                    PlanarBlockedConv2D.PackWeights(_shape, _w, packed);
                    PlanarBlockedConv2D.Run(_shape, _x, packed, default, _y, null);
                };
            }
            return () =>
            {
                BlockedConv2D.PackWeights(_shape, _w, packed);
                BlockedConv2D.Run(_shape, _x, packed, default, _y, null);
            };
        }

        private Action? ForwardWinograd()
        {
            if (!BlockedWinogradConv2D.Fits(_shape)) return null;
            float* scratch = AllocateBytes(BlockedWinogradConv2D.ScratchOnceBytes(_shape));
            return () => BlockedWinogradConv2D.RunOnce(_shape, _x, WeightView.Of(_shape, _w), default, _y, scratch);
        }

        private Action DataRows()
        {
            float* scratch = AllocateBytes(Conv2DBackwardData.ScratchBytes(_shape));
            return () => Conv2DBackwardData.Run(_shape, _y, _w, default, _dx, scratch);
        }

        private Action? Data(bool allowsWinograd)
        {
            if (!BlockedConvBackwardData.Fits(_shape)) return null;
            float* scratch = AllocateBytes(BlockedConvBackwardData.ScratchBytes(_shape, allowsWinograd));
            return () => BlockedConvBackwardData.Run(_shape, allowsWinograd, _y, _w, null, _dx, scratch);
        }

        private Action WeightsRows()
        {
            float* scratch = AllocateBytes(Conv2DBackwardWeights.ScratchBytes(_shape));
            return () => Conv2DBackwardWeights.Run(_shape, _x, _y, _dw, scratch);
        }

        private Action? Weights(bool allowsWinograd)
        {
            if (IsPlanar)
            {
                float* planarScratch = AllocateBytes(PlanarConvBackwardWeights.ScratchBytes(_shape));
                return () => PlanarConvBackwardWeights.Run(_shape, _x, _y, _dw, planarScratch);
            }
            if (!BlockedConvBackwardWeights.Fits(_shape)) return null;
            float* scratch = AllocateBytes(BlockedConvBackwardWeights.ScratchBytes(_shape, allowsWinograd));
            return () => BlockedConvBackwardWeights.Run(_shape, allowsWinograd, _x, _y, _dw, scratch);
        }

        private float* Allocate(long floats)
        {
            float* memory = AllocateBytes(floats * sizeof(float));
            for (long i = 0; i < floats; i++) memory[i] = (i % 7 - 3) * 0.1f;
            return memory;
        }

        private float* AllocateBytes(long bytes)
        {
            void* memory = NativeMemory.AlignedAlloc((nuint)Math.Max(64, bytes), 64);
            _memory.Add((nint)memory);
            return (float*)memory;
        }
    }
}
