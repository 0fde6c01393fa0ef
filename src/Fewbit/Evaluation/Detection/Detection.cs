namespace Fewbit.Evaluation.Detection;

/// <summary>A box around something that a detector found, in pixels of the model's input or in fractions of it.</summary>
/// <param name="Left">Smallest x.</param>
/// <param name="Top">Smallest y.</param>
/// <param name="Right">Largest x.</param>
/// <param name="Bottom">Largest y.</param>
/// <param name="Class">Index of what it is.</param>
/// <param name="Score">How sure the detector is, higher is surer.</param>
public readonly record struct DetectedBox(float Left, float Top, float Right, float Bottom, int Class, float Score)
{
    /// <summary>Width times height; 0 where the corners are crossed.</summary>
    public double Area => Math.Max(0, (double)Right - Left) * Math.Max(0, (double)Bottom - Top);

    /// <summary>Intersection over union with another box, 0 to 1.</summary>
    public double Overlap(DetectedBox other)
    {
        double width = Math.Min(Right, other.Right) - (double)Math.Max(Left, other.Left), height = Math.Min(Bottom, other.Bottom) - (double)Math.Max(Top, other.Top);
        if (!(width > 0 && height > 0)) return 0;
        double both = width * height;
        return both / (Area + other.Area - both);
    }
}

/// <summary>Keeps of boxes that show the same thing the surest.</summary>
public static class NonMaximumSuppression
{
    /// <summary>Goes through the boxes from the highest score down and drops each that overlaps a kept one of its class by more than a limit.</summary>
    /// <param name="boxes">Boxes of one picture.</param>
    /// <param name="overlap">Largest intersection over union that two kept boxes of a class may have, 0 to 1.</param>
    /// <param name="most">Most boxes kept.</param>
    /// <returns>The kept boxes, the highest score first; among equals the earlier.</returns>
    public static IReadOnlyList<DetectedBox> Apply(IEnumerable<DetectedBox> boxes, double overlap, int most = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(boxes);
        var kept = new List<DetectedBox>();
        foreach (DetectedBox box in boxes.OrderByDescending(box => box.Score))
        {
            if (kept.Count == most) break;
            if (!kept.Exists(other => other.Class == box.Class && other.Overlap(box) > overlap)) kept.Add(box);
        }
        return kept;
    }
}
