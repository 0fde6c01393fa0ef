using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>The adjoint of a convolution in its image: dx from dy and w; also the transposed convolution (with a bias and an activation).</summary>
/// <remarks>
/// The rows y, y + stride, ... of dx see every stride-th tap only: each phase is a convolution of dy with stride 1 and a part of the kernel, turned round.
/// So no zeros are multiplied, and the forward kernels do the work.
/// </remarks>
internal static unsafe class Conv2DBackwardData
{
    /// <summary>Scratch that <see cref="Run"/> needs, aligned to 64.</summary>
    public static long ScratchBytes(in Conv2DShape shape)
    {
        long most = 0;
        for (int phase = 0; phase < shape.StrideHeight * shape.StrideWidth; phase++)
        {
            Part part = new(shape, phase);
            if (!part.IsEmpty) most = Math.Max(most, part.WeightBytes + part.PackedBytes + part.OutputBytes + Conv2D.ScratchBytes(part.Shape));
        }
        return most;
    }

    /// <param name="shape">The forward convolution.</param>
    /// <param name="dy">[N, M, OutHeight, OutWidth].</param>
    /// <param name="weights">[M, C / groups, kH, kW], not packed.</param>
    /// <param name="epilogue">Row bias [C] and activation of a transposed convolution; residual of the shape of dx where the stride is 1.</param>
    /// <param name="dx">[N, C, InHeight, InWidth]; overwritten.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes.</param>
    public static void Run(in Conv2DShape shape, float* dy, float* weights, in Epilogue epilogue, float* dx, void* scratch)
    {
        for (int phase = 0; phase < shape.StrideHeight * shape.StrideWidth; phase++)
        {
            Part part = new(shape, phase);
            if (part.Shape.OutPlane <= 0 && !part.HasNoTaps) continue;
            if (part.IsEmpty)
            {
                part.Fill(epilogue, dx);
                continue;
            }
            float* turned = (float*)scratch;
            byte* packed = (byte*)scratch + part.WeightBytes, rest = packed + part.PackedBytes + part.OutputBytes;
            float* output = part.IsWhole ? dx : (float*)(packed + part.PackedBytes);
            part.Turn(weights, turned);
            Conv2D.PackWeights(part.Shape, turned, (float*)packed);
            Conv2D.Run(part.Shape, dy, (float*)packed, epilogue, output, rest);
            if (part.IsWhole) continue;
            var scatter = new ScatterJob(shape, part, output, dx);
            Workers.Run(shape.Batch * shape.InChannels, ref scatter);
        }
    }

    /// <summary>By its definition, sums in double precision.</summary>
    public static void Reference(in Conv2DShape shape, float* dy, float* weights, float* dx)
    {
        double[] sums = new double[(long)shape.Batch * shape.InChannels * shape.InPlane];
        Conv2DTerms.ForEach(shape, (x, w, y) => sums[x] += (double)dy[y] * weights[w]);
        for (int i = 0; i < sums.Length; i++) dx[i] = (float)sums[i];
    }

    /// <summary>One axis of one phase: taps first, first + step, ... and where they read dy.</summary>
    private readonly record struct Axis(int First, int Step, int Taps, int Dilation, int PadBegin, int PadEnd, int Length)
    {
        public static Axis Of(int phase, int stride, int dilation, int kernel, int pad, int input, int output)
        {
            int first = 0, step = stride / Gcd(stride, dilation);
            while (first < Math.Min(step, kernel) && Modulo(phase + pad - first * dilation, stride) != 0) first++;
            int taps = first < Math.Min(step, kernel) ? (kernel - first + step - 1) / step : 0;
            int spread = step * dilation / stride, length = (input - phase + stride - 1) / stride;
            int start = taps == 0 ? 0 : (phase + pad - first * dilation) / stride;
            int begin = spread * (taps - 1) - start;
            return new(first, step, taps, spread, begin, length - 1 + spread * (taps - 1) + 1 - output - begin, length);
        }

        private static int Modulo(int value, int modulus) => ((value % modulus) + modulus) % modulus;

        private static int Gcd(int a, int b) => b == 0 ? a : Gcd(b, a % b);
    }

    /// <summary>The forward convolution of dy that gives one phase of dx.</summary>
    private readonly struct Part
    {
        private readonly Conv2DShape _forward;
        private readonly Axis _rows, _columns;

        public Part(in Conv2DShape shape, int phase)
        {
            _forward = shape;
            (PhaseY, PhaseX) = (phase / shape.StrideWidth, phase % shape.StrideWidth);
            _rows = Axis.Of(PhaseY, shape.StrideHeight, shape.DilationHeight, shape.KernelHeight, shape.PadTop, shape.InHeight, shape.OutHeight);
            _columns = Axis.Of(PhaseX, shape.StrideWidth, shape.DilationWidth, shape.KernelWidth, shape.PadLeft, shape.InWidth, shape.OutWidth);
            Shape = new Conv2DShape(shape.Batch, shape.OutChannels, shape.OutHeight, shape.OutWidth, shape.InChannels, _rows.Taps, _columns.Taps)
            {
                Groups = shape.Groups,
                DilationHeight = Math.Max(1, _rows.Dilation),
                DilationWidth = Math.Max(1, _columns.Dilation),
                PadTop = _rows.PadBegin,
                PadBottom = _rows.PadEnd,
                PadLeft = _columns.PadBegin,
                PadRight = _columns.PadEnd,
            };
        }

        public int PhaseY { get; }

        public int PhaseX { get; }

        public Conv2DShape Shape { get; }

        public bool HasNoTaps => Shape.Taps == 0 || _forward.OutPlane == 0;

        public bool IsEmpty => HasNoTaps || Shape.IsEmpty;

        /// <summary>The phase is all of dx.</summary>
        public bool IsWhole => _forward.StrideHeight == 1 && _forward.StrideWidth == 1;

        public int Height => _rows.Length;

        public int Width => _columns.Length;

        public long WeightBytes => Aligned((long)Shape.OutChannels * Shape.Inner * sizeof(float));

        public long PackedBytes => Aligned(Conv2D.PackedWeightBytes(Shape));

        public long OutputBytes => IsWhole ? 0 : Aligned((long)Shape.Batch * Shape.OutChannels * Shape.OutPlane * sizeof(float));

        /// <summary>w [M, C / groups, taps] to [C, M / groups, taps of the phase in reverse].</summary>
        public void Turn(float* weights, float* turned)
        {
            int groupIn = _forward.GroupInChannels, groupOut = _forward.GroupOutChannels, taps = _forward.Taps;
            for (int c = 0; c < _forward.InChannels; c++)
            {
                for (int m = 0; m < groupOut; m++)
                {
                    float* from = weights + ((long)(c / groupIn * groupOut + m) * groupIn + c % groupIn) * taps;
                    for (int y = _rows.Taps - 1; y >= 0; y--)
                        for (int x = _columns.Taps - 1; x >= 0; x--) *turned++ = from[(_rows.First + y * _rows.Step) * _forward.KernelWidth + _columns.First + x * _columns.Step];
                }
            }
        }

        /// <summary>No tap reaches this phase: the epilogue of zero.</summary>
        public void Fill(in Epilogue epilogue, float* dx)
        {
            for (int plane = 0; plane < _forward.Batch * _forward.InChannels; plane++)
            {
                float value = epilogue.Activation.Apply(epilogue.RowBias == null ? 0 : epilogue.RowBias[plane % _forward.InChannels]);
                float* to = dx + (long)plane * _forward.InPlane;
                for (int y = PhaseY; y < _forward.InHeight; y += _forward.StrideHeight)
                    for (int x = PhaseX; x < _forward.InWidth; x += _forward.StrideWidth) to[y * _forward.InWidth + x] = value;
            }
        }

        private static long Aligned(long bytes) => (bytes + 63) / 64 * 64;
    }

    /// <summary>A chunk is one plane of dx: its phase takes its places.</summary>
    private readonly struct ScatterJob(Conv2DShape shape, Part part, float* output, float* dx) : IJob
    {
        public void Run(int chunk)
        {
            float* from = output + (long)chunk * part.Height * part.Width;
            float* to = dx + (long)chunk * shape.InPlane;
            for (int y = 0; y < part.Height; y++)
            {
                float* row = to + (y * shape.StrideHeight + part.PhaseY) * shape.InWidth + part.PhaseX;
                for (int x = 0; x < part.Width; x++) row[x * shape.StrideWidth] = *from++;
            }
        }
    }
}

/// <summary>Every product that a convolution sums, for references.</summary>
internal static class Conv2DTerms
{
    /// <param name="shape">The convolution.</param>
    /// <param name="term">Called with the indices into x, w and y of each product.</param>
    public static void ForEach(in Conv2DShape shape, Action<int, int, int> term)
    {
        for (int n = 0; n < shape.Batch; n++)
        {
            for (int m = 0; m < shape.OutChannels; m++)
            {
                for (int w = 0; w < shape.Inner; w++)
                {
                    int c = m / shape.GroupOutChannels * shape.GroupInChannels + w / shape.Taps, tap = w % shape.Taps;
                    for (int pixel = 0; pixel < shape.OutPlane; pixel++)
                    {
                        int iy = pixel / shape.OutWidth * shape.StrideHeight - shape.PadTop + tap / shape.KernelWidth * shape.DilationHeight;
                        int ix = pixel % shape.OutWidth * shape.StrideWidth - shape.PadLeft + tap % shape.KernelWidth * shape.DilationWidth;
                        if ((uint)iy >= (uint)shape.InHeight || (uint)ix >= (uint)shape.InWidth) continue;
                        term((n * shape.InChannels + c) * shape.InPlane + iy * shape.InWidth + ix, m * shape.Inner + w, (n * shape.OutChannels + m) * shape.OutPlane + pixel);
                    }
                }
            }
        }
    }
}
