namespace Fewbit.Graphs.Operators;

/// <summary>How a resized element is made of its neighbours.</summary>
internal enum Interpolation
{
    Nearest,
    Linear,
    Cubic,
}

/// <summary>The attributes of Resize.</summary>
/// <param name="Mode">Nearest, linear or cubic.</param>
/// <param name="Coordinates">Name of the map from positions of the output to positions of the input.</param>
/// <param name="Rounding">Rounding of nearest: round_prefer_floor, round_prefer_ceil, floor or ceil.</param>
/// <param name="CubicA">The constant of cubic interpolation.</param>
/// <param name="ExcludesOutside">Whether neighbours outside the image get weight 0 instead of the value at the edge.</param>
/// <param name="Extrapolation">Value of elements whose position lies outside (tf_crop_and_resize).</param>
/// <param name="Antialias">Whether the filter is stretched when the image shrinks.</param>
/// <param name="Axes">Dimensions that roi, scales and sizes speak of; null for all.</param>
/// <param name="KeepAspect">stretch, not_larger or not_smaller.</param>
internal sealed record ResizeAttributes(Interpolation Mode, string Coordinates, string Rounding, float CubicA, bool ExcludesOutside, float Extrapolation, bool Antialias, long[]? Axes, string KeepAspect)
{
    public static ResizeAttributes Parse(Node node)
    {
        bool isOld = node.Is("Resize") && node.OpsetVersion < 11;
        var attributes = new ResizeAttributes(ParseMode(node), isOld ? "asymmetric" : node.String("coordinate_transformation_mode", "half_pixel"), isOld ? "floor" : node.String("nearest_mode", "round_prefer_floor"),
            node.Float("cubic_coeff_a", -0.75f), node.Int("exclude_outside", 0) != 0, node.Float("extrapolation_value", 0), node.Int("antialias", 0) != 0, node.Ints("axes"), node.String("keep_aspect_ratio_policy", "stretch"));
        node.Expect(attributes.Coordinates is "half_pixel" or "half_pixel_symmetric" or "pytorch_half_pixel" or "align_corners" or "asymmetric" or "tf_crop_and_resize" or "tf_half_pixel_for_nn",
            $"coordinate_transformation_mode is '{attributes.Coordinates}', expected half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric or tf_crop_and_resize");
        node.Expect(attributes.Rounding is "round_prefer_floor" or "round_prefer_ceil" or "floor" or "ceil", $"nearest_mode is '{attributes.Rounding}', expected round_prefer_floor, round_prefer_ceil, floor or ceil");
        node.Expect(attributes.KeepAspect is "stretch" or "not_larger" or "not_smaller", $"keep_aspect_ratio_policy is '{attributes.KeepAspect}', expected stretch, not_larger or not_smaller");
        return attributes;
    }

    /// <summary>Upsample: positions are scaled, and rounded down.</summary>
    public static ResizeAttributes ParseUpsample(Node node) => new(ParseMode(node), "asymmetric", "floor", -0.75f, false, 0, false, null, "stretch");

    /// <summary>The dimension that item <paramref name="index"/> of roi, scales or sizes speaks of.</summary>
    public int Axis(Node node, int index, int rank) => Axes is null ? node.Axis(index, rank, "place in sizes, scales or roi") : index < Axes.Length ? node.Axis(Axes[index], rank, "axes") : throw node.Fail($"axes has {Axes.Length} elements, but roi, scales or sizes have more");

    /// <summary>The map of one dimension.</summary>
    /// <param name="input">Length of the input.</param>
    /// <param name="output">Length of the output.</param>
    /// <param name="scale">Factor between them.</param>
    /// <param name="start">First position of the region of interest, as a share of the input.</param>
    /// <param name="end">Last position of the region of interest.</param>
    public ResizeAxis Map(int input, int output, float scale, float start, float end)
    {
        var map = new ResizeAxisBuilder(output);
        for (int position = 0; position < output; position++)
        {
            float at = Position(position, input, output, scale, start, end);
            bool isOutside = Coordinates == "tf_crop_and_resize" && (at < 0 || at > input - 1);
            map.Begin(isOutside);
            if (Mode == Interpolation.Nearest) map.Add(Math.Clamp(Round(at), 0, input - 1), 1);
            else if (Antialias && scale < 1) AddStretched(map, at, input, scale);
            else AddNeighbours(map, at, input);
        }
        return map.Build() with { Linear = LinearTaps(input, output, scale, start, end) };
    }

    /// <summary>The two neighbours of each position with their float32 weights; null where more than these count.</summary>
    /// <remarks>Weights as ONNX Runtime computes them, so that a code on the edge between two rounds as there: an element beyond the last neighbour counts twice by half.</remarks>
    private LinearTaps? LinearTaps(int input, int output, float scale, float start, float end)
    {
        if (Mode != Interpolation.Linear || Antialias || ExcludesOutside || Coordinates == "tf_crop_and_resize") return null;
        var taps = new LinearTaps(new int[output], new int[output], new float[output], new float[output]);
        for (int position = 0; position < output; position++)
        {
            float at = Math.Clamp(scale == 1 ? position : Position(position, input, output, scale, start, end), 0, input - 1);
            int first = Math.Min((int)at, input - 1), second = Math.Min(first + 1, input - 1);
            (taps.First[position], taps.Second[position]) = (first, second);
            (taps.FirstWeight[position], taps.SecondWeight[position]) = first == second ? (0.5f, 0.5f) : (MathF.Abs(at - second), MathF.Abs(at - first));
        }
        return taps;
    }

    private static Interpolation ParseMode(Node node) => node.String("mode", "nearest") switch
    {
        "nearest" => Interpolation.Nearest,
        "linear" or "bilinear" => Interpolation.Linear,
        "cubic" => Interpolation.Cubic,
        string other => throw node.Fail($"mode is '{other}', expected nearest, linear or cubic"),
    };

    /// <summary>Position in the input, in float32 as runtimes compute it: ties of nearest depend on the rounding.</summary>
    private float Position(int x, int input, int output, float scale, float start, float end)
    {
        switch (Coordinates)
        {
            case "asymmetric": return x / scale;
            case "pytorch_half_pixel": return output > 1 ? (x + 0.5f) / scale - 0.5f : 0;
            case "tf_half_pixel_for_nn": return (x + 0.5f) / scale;
            case "align_corners":
                float length = scale * input;
                return length == 1 || output == 1 ? 0 : x * (input - 1) / (length - 1);
            case "half_pixel_symmetric":
                float adjustment = output / (scale * input), centre = input / 2f;
                return centre * (1 - adjustment) + (x + 0.5f) / scale - 0.5f;
            case "tf_crop_and_resize":
                return output > 1 ? start * (input - 1) + x * (end - start) * (input - 1) / (output - 1) : 0.5f * (start + end) * (input - 1);
            default: return (x + 0.5f) / scale - 0.5f;
        }
    }

    private int Round(float at) => Rounding switch
    {
        "round_prefer_ceil" => (int)MathF.Floor(at + 0.5f),
        "floor" => (int)MathF.Floor(at),
        "ceil" => (int)MathF.Ceiling(at),
        _ => (int)MathF.Ceiling(at - 0.5f),
    };

    private void AddNeighbours(ResizeAxisBuilder map, float at, int input)
    {
        int floor = (int)MathF.Floor(at), reach = Mode == Interpolation.Linear ? 1 : 2;
        for (int tap = 1 - reach; tap <= reach; tap++)
        {
            int position = floor + tap;
            double weight = Filter(position - (double)at);
            if (ExcludesOutside && (position < 0 || position >= input)) weight = 0;
            map.Add(Math.Clamp(position, 0, input - 1), weight);
        }
        if (ExcludesOutside) map.Normalize();
    }

    /// <summary>The filter stretched over 1 / scale elements.</summary>
    private void AddStretched(ResizeAxisBuilder map, float at, int input, float scale)
    {
        double support = (Mode == Interpolation.Linear ? 1 : 2) / (double)scale;
        for (int position = (int)Math.Floor(at - support) + 1; position < at + support; position++)
        {
            bool isOutside = position < 0 || position >= input;
            map.Add(Math.Clamp(position, 0, input - 1), ExcludesOutside && isOutside ? 0 : Filter((position - (double)at) * scale));
        }
        map.Normalize();
    }

    private double Filter(double distance)
    {
        double d = Math.Abs(distance), a = CubicA;
        if (Mode == Interpolation.Linear) return Math.Max(0, 1 - d);
        if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
        return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
    }
}

/// <summary>One dimension's linear map: output j = sum over taps [Starts[j], Starts[j + 1]) of Weights * input[Positions].</summary>
/// <param name="Starts">First tap of each output, and the number of taps.</param>
/// <param name="Positions">Input position by tap.</param>
/// <param name="Weights">Weight by tap.</param>
/// <param name="IsOutside">Whether an output takes the extrapolation value; null where none does.</param>
internal sealed record ResizeAxis(int[] Starts, int[] Positions, double[] Weights, bool[]? IsOutside)
{
    public int Output => Starts.Length - 1;

    /// <summary>The same map as two neighbours by output; null where it is another.</summary>
    public LinearTaps? Linear { get; init; }

    /// <summary>True where the map copies each element to its own place.</summary>
    public bool IsIdentity(int input)
    {
        if (Output != input || IsOutside is not null || Positions.Length != input) return false;
        for (int i = 0; i < input; i++)
        {
            if (Positions[i] != i || Weights[i] != 1) return false;
        }
        return true;
    }
}

/// <summary>Linear interpolation along one dimension: output j = FirstWeight * input[First] + SecondWeight * input[Second].</summary>
internal sealed record LinearTaps(int[] First, int[] Second, float[] FirstWeight, float[] SecondWeight);

/// <summary>Collects the taps of a map.</summary>
internal sealed class ResizeAxisBuilder(int output)
{
    private readonly List<int> _starts = new(output + 1);
    private readonly List<int> _positions = [];
    private readonly List<double> _weights = [];
    private readonly bool[] _isOutside = new bool[output];

    public void Begin(bool isOutside)
    {
        _isOutside[_starts.Count] = isOutside;
        _starts.Add(_positions.Count);
    }

    public void Add(int position, double weight)
    {
        if (weight == 0) return;
        _positions.Add(position);
        _weights.Add(weight);
    }

    /// <summary>Scales the weights of the current output to a sum of 1.</summary>
    public void Normalize()
    {
        double sum = 0;
        for (int i = _starts[^1]; i < _weights.Count; i++) sum += _weights[i];
        for (int i = _starts[^1]; i < _weights.Count; i++) _weights[i] /= sum;
    }

    public ResizeAxis Build() => new([.. _starts, _positions.Count], [.. _positions], [.. _weights], _isOutside.Contains(true) ? _isOutside : null);
}
