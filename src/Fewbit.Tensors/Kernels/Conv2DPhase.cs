namespace Fewbit.Tensors.Kernels;

/// <summary>A phase of the gradient of a convolution in its image: the rows and columns phase, phase + stride, ... see every stride-th tap only, so that they are a convolution of dy at stride 1 with a part of the kernel, turned round.</summary>
internal readonly struct Conv2DPhase
{
    private readonly Axis _rows, _columns;

    /// <param name="forward">The forward convolution.</param>
    /// <param name="phase">Row phase * stride width + column phase.</param>
    public Conv2DPhase(in Conv2DShape forward, int phase)
    {
        Forward = forward;
        (Row, Column) = (phase / forward.StrideWidth, phase % forward.StrideWidth);
        _rows = Axis.Of(Row, forward.StrideHeight, forward.DilationHeight, forward.KernelHeight, forward.PadTop, forward.InHeight, forward.OutHeight);
        _columns = Axis.Of(Column, forward.StrideWidth, forward.DilationWidth, forward.KernelWidth, forward.PadLeft, forward.InWidth, forward.OutWidth);
        Shape = new Conv2DShape(forward.Batch, forward.OutChannels, forward.OutHeight, forward.OutWidth, forward.InChannels, _rows.Taps, _columns.Taps)
        {
            Groups = forward.Groups,
            DilationHeight = Math.Max(1, _rows.Dilation),
            DilationWidth = Math.Max(1, _columns.Dilation),
            PadTop = _rows.PadBegin,
            PadBottom = _rows.PadEnd,
            PadLeft = _columns.PadBegin,
            PadRight = _columns.PadEnd,
        };
    }

    /// <summary>Phases of a convolution.</summary>
    public static int Count(in Conv2DShape forward) => forward.StrideHeight * forward.StrideWidth;

    public Conv2DShape Forward { get; }

    /// <summary>First row and column of dx.</summary>
    public int Row { get; }

    public int Column { get; }

    /// <summary>The convolution of dy; pads may be negative.</summary>
    public Conv2DShape Shape { get; }

    /// <summary>Rows and columns of dx that belong to the phase.</summary>
    public int Height => _rows.Length;

    public int Width => _columns.Length;

    public bool HasNoTaps => Shape.Taps == 0 || Forward.OutPlane == 0;

    public bool IsEmpty => HasNoTaps || Shape.IsEmpty;

    /// <summary>The phase is all of dx.</summary>
    public bool IsWhole => Forward.StrideHeight == 1 && Forward.StrideWidth == 1;

    /// <summary>The forward tap that the phase's first tap is, and the forward taps between neighbouring rows and columns, which it walks backwards.</summary>
    public int LastTap => (_rows.First + (_rows.Taps - 1) * _rows.Step) * Forward.KernelWidth + _columns.First + (_columns.Taps - 1) * _columns.Step;

    public int TapRowStep => _rows.Step * Forward.KernelWidth;

    public int TapColumnStep => _columns.Step;

    /// <summary>One axis: taps first, first + step, ... and where they read dy.</summary>
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
}
